"""A letter as the bytes that travel: multipart text and HTML, attachments, headers that no input can break out of.

This module and `mail_headers` put everything together themselves, but for what is hard to encode or fold: the standard library's
message objects take ten times as long.

Not covered: DKIM signatures (the mail server's business), pictures inside the HTML, encryption.
"""

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from tasks.errors import AddressRefused, Misconfigured
from tasks.plain_text import looks_encoded
from tasks.ports import Attachment, Letter
from worker.adapters import mail_headers
from worker.adapters.mail_headers import addressed, header, header_text

MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")
MEDIA_TYPE = re.compile(r"(?!multipart/|message/)([a-z]+)/([a-z0-9!#$&^_.+-]+)")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class MailAddress:
    """An address as the mail server wants it. `international`: its local part is not ASCII, the server needs SMTPUTF8."""

    address: str
    international: bool

    @classmethod
    def read(cls, text: str) -> "MailAddress":
        """Raises ValueError where `text` is no address, without repeating it. A domain in another script becomes IDNA."""
        return _read(text)


@lru_cache(maxsize=1000)
def _read(text: str) -> MailAddress:
    """Cached for the next letter of the same order."""
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError("not an email address") from None
    if looks_encoded(text):
        raise ValueError("not an email address")
    return MailAddress(found.ascii_email or f"{found.local_part}@{found.ascii_domain}", found.ascii_email is None)


@dataclass(frozen=True, slots=True)
class Sender:
    """From whom our letters come. `reply_to`: where answers go, if not there."""

    address: MailAddress
    name: str
    reply_to: MailAddress | None

    @classmethod
    def read(cls, address: str, name: str, *, reply_to: str | None = None) -> "Sender":
        """Raises Misconfigured where an address is malformed."""
        return cls(_ours(address), name, _ours(reply_to) if reply_to else None)

    @property
    def international(self) -> bool:
        return self.address.international or (self.reply_to is not None and self.reply_to.international)


def _ours(address: str) -> MailAddress:
    try:
        return MailAddress.read(address)
    except ValueError:
        raise Misconfigured(f"our own mail address is malformed: {address!r}") from None


def recipient(letter: Letter) -> MailAddress:
    try:
        return MailAddress.read(letter.to)
    except ValueError:
        raise AddressRefused("the recipient's address is malformed", code="5.1.3") from None


def as_bytes(letter: Letter, *, sender: Sender, to: MailAddress, date: datetime) -> bytes:
    """The whole message with CRLF line ends, ASCII throughout unless `to` or `sender` is international."""
    headers = (
        mail_headers.sender(sender.address.address, sender.name),
        addressed("To", to.address),
        addressed("Reply-To", sender.reply_to.address) if sender.reply_to else "",
        header("Date", format_datetime(date)),
        header("Message-ID", _required(MESSAGE_ID, letter.message_id, "Message-ID")),
        mail_headers.subject(letter.subject),
        header("Content-Language", _required(LANGUAGE, letter.language, "language")),
        "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n",
    )
    head = "".join(headers).encode()
    body = _multipart("alternative", [_text("plain", letter.text), _text("html", letter.html)])
    if letter.attachments:
        body = _multipart("mixed", [body, *map(_attached, letter.attachments)])
    return head + body


def _multipart(subtype: str, parts: Iterable[bytes]) -> bytes:
    """A boundary that begins with `=_` cannot occur within a part: neither quoted-printable nor base64 has `=_` (RFC 2045, 6.7)."""
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
    name = header_text(attachment.filename).replace("\\", "\\\\").replace('"', '\\"')
    disposition = header("Content-Disposition", f'attachment; filename="{name}"')
    head = f"Content-Type: {attachment.media_type}\r\nContent-Transfer-Encoding: base64\r\n{disposition}\r\n"
    content = b64encode(attachment.content)
    lines = [content[start : start + 76] for start in range(0, len(content), 76)]
    return head.encode() + b"\r\n".join([*lines, b""])


def _required(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise Misconfigured(f"the letter's {what} is malformed")
    return text
