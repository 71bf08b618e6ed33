"""A letter as the bytes that travel: multipart text and HTML, attachments, headers that no input can break out of.

Not covered: DKIM signatures (the mail server's business), pictures inside the HTML, encryption.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from email_validator import EmailNotValidError, validate_email

from tasks.errors import AddressRefused, Misconfigured
from tasks.ports import Attachment, Letter

MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")
MEDIA_TYPE = re.compile(r"(?!multipart/|message/)([a-z]+)/([a-z0-9!#$&^_.+-]+)")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class MailAddress:
    """An address as the mail server wants it. `international`: its local part is not ASCII, the server needs SMTPUTF8."""

    address: str
    international: bool

    @classmethod
    def read(cls, text: str) -> "MailAddress":
        """Raises ValueError, without the address in it, where this is none. A domain in other scripts becomes IDNA."""
        try:
            found = validate_email(text, check_deliverability=False, test_environment=True)
        except EmailNotValidError:
            raise ValueError("not an email address") from None
        return cls(found.ascii_email or f"{found.local_part}@{found.ascii_domain}", found.ascii_email is None)


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
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit", utf8=to.international or sender.address.international))
    message.set_content(letter.text, charset="utf-8")
    message.add_alternative(letter.html, subtype="html", charset="utf-8")
    for attachment in letter.attachments:
        _attach(message, attachment)
    message["From"] = _header_address(sender.address, sender.name)
    message["To"] = _header_address(to)
    if sender.reply_to is not None:
        message["Reply-To"] = _header_address(sender.reply_to)
    message["Date"] = format_datetime(date)
    message["Message-ID"] = _required(MESSAGE_ID, letter.message_id, "Message-ID")
    message["Subject"] = one_line(letter.subject)
    # Last, because adding a part moves the Content-* headers that are there to it.
    message["Content-Language"] = _required(LANGUAGE, letter.language, "language")
    message["Auto-Submitted"] = "auto-generated"
    return message.as_bytes()


def one_line(text: str) -> str:
    """Names of customers and products end up in headers; a line break in one must not begin a new header."""
    return CONTROL.sub(" ", text).strip()


def _header_address(address: MailAddress, name: str = "") -> Address:
    username, _, domain = address.address.rpartition("@")
    return Address(display_name=one_line(name), username=username, domain=domain)


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    media_type = MEDIA_TYPE.fullmatch(attachment.media_type)
    if media_type is None:
        raise Misconfigured("an attachment's media type must read type/subtype, and be neither multipart nor message")
    main, sub = media_type.groups()
    message.add_attachment(attachment.content, maintype=main, subtype=sub, filename=one_line(attachment.filename))


def _required(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise Misconfigured(f"the letter's {what} is malformed")
    return text
