"""A letter as the bytes that travel: multipart text and HTML, attachments, headers that no input can break out of.

Headers that are not plain ASCII on one line are the standard library's to encode and fold; the rest is put together here, as
its own message objects take ten times as long.

Not covered: DKIM signatures (the mail server's business), pictures inside the HTML, encryption.
"""

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from tasks.errors import AddressRefused, Misconfigured
from tasks.ports import Attachment, Letter

MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")
MEDIA_TYPE = re.compile(r"(?!multipart/|message/)([a-z]+)/([a-z0-9!#$&^_.+-]+)")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
PLAIN = re.compile(r"(?!.*=\?)[!-~](?:[ -~]*[!-~])?")
"""needs no encoding, and cannot be taken for encoded"""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class MailAddress:
    """An address as the mail server wants it. `international`: its local part is not ASCII, the server needs SMTPUTF8."""

    address: str
    international: bool

    @classmethod
    def read(cls, text: str) -> "MailAddress":
        """Raises ValueError, without the address in it, where this is none. A domain in other scripts becomes IDNA."""
        return _read(text)


@lru_cache(maxsize=1000)
def _read(text: str) -> MailAddress:
    """Kept for the next letter of the same order."""
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError("not an email address") from None
    return MailAddress(found.ascii_email or f"{found.local_part}@{found.ascii_domain}", found.ascii_email is None)


@dataclass(frozen=True, slots=True)
class Sender:
    address: MailAddress
    name: str
    reply_to: MailAddress | None


def recipient(letter: Letter) -> MailAddress:
    try:
        return MailAddress.read(letter.to)
    except ValueError:
        raise AddressRefused("the recipient's address is malformed", code="5.1.3") from None


def as_bytes(letter: Letter, *, sender: Sender, to: MailAddress, date: datetime) -> bytes:
    """The whole message with CRLF line ends, ASCII throughout unless `to` is international."""
    utf8 = to.international or sender.address.international
    reply_to = () if sender.reply_to is None else (("Reply-To", _shown(sender.reply_to)),)
    headers = (
        ("From", _shown(sender.address, sender.name)),
        ("To", _shown(to)),
        *reply_to,
        ("Date", format_datetime(date)),
        ("Message-ID", _required(MESSAGE_ID, letter.message_id, "Message-ID")),
        ("Subject", one_line(letter.subject)),
        ("Content-Language", _required(LANGUAGE, letter.language, "language")),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
    )
    head = "".join(_header(name, value, utf8=utf8) for name, value in headers).encode()
    body = _multipart("alternative", [_text("plain", letter.text), _text("html", letter.html)])
    if letter.attachments:
        body = _multipart("mixed", [body, *map(_attached, letter.attachments)])
    return head + body


def one_line(text: str) -> str:
    """Names of customers and products end up in headers; a line break in one must not begin a new header."""
    return CONTROL.sub(" ", text).strip()


@lru_cache(maxsize=1000)
def _shown(address: MailAddress, name: str = "") -> str:
    username, _, domain = address.address.rpartition("@")
    return str(Address(display_name=one_line(name), username=username, domain=domain))


def _header(name: str, value: str, *, utf8: bool) -> str:
    line = f"{name}: {value}\r\n"
    if name == "Message-ID" or (len(line) <= 80 and PLAIN.fullmatch(value)):
        return line
    return _folded(name, value, utf8=utf8)


@lru_cache(maxsize=64)
def _folded(name: str, value: str, *, utf8: bool) -> str:
    policy = SMTP.clone(cte_type="7bit", utf8=utf8)
    folded: str = policy.fold(*policy.header_store_parse(name, value))
    return folded


def _multipart(subtype: str, parts: Iterable[bytes]) -> bytes:
    """`=_` begins a boundary that cannot occur within a part: neither quoted-printable nor base64 has it (RFC 2045, 6.7)."""
    boundary = f"=_{subtype}".encode()
    head = b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n' % (subtype.encode(), boundary)
    return head + b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary


def _text(subtype: str, text: str) -> bytes:
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    lines = text.encode().splitlines()
    return head.encode() + b2a_qp(b"\r\n".join([*lines, b""]))


def _attached(attachment: Attachment) -> bytes:
    if not MEDIA_TYPE.fullmatch(attachment.media_type):
        raise Misconfigured("an attachment's media type must read type/subtype, and be neither multipart nor message")
    name = one_line(attachment.filename).replace("\\", "\\\\").replace('"', '\\"')
    disposition = _header("Content-Disposition", f'attachment; filename="{name}"', utf8=False)
    head = f"Content-Type: {attachment.media_type}\r\nContent-Transfer-Encoding: base64\r\n{disposition}\r\n"
    content = b64encode(attachment.content)
    lines = [content[start : start + 76] for start in range(0, len(content), 76)]
    return head.encode() + b"\r\n".join([*lines, b""])


def _required(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise Misconfigured(f"the letter's {what} is malformed")
    return text
