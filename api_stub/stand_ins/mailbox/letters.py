"""One received email, read into the shapes of Mailpit's JSON API (capitalized keys and all)."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses, parsedate_to_datetime
from functools import lru_cache
from html import unescape
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    part_id: str
    filename: str
    media_type: str
    content_id: str
    content: bytes
    inline: bool

    def as_json(self) -> dict[str, Any]:
        checksums = {name.upper(): hashlib.new(name, self.content).hexdigest() for name in ("md5", "sha1", "sha256")}
        return {
            "PartID": self.part_id,
            "FileName": self.filename or self.content_id,
            "ContentType": self.media_type,
            "ContentID": self.content_id,
            "Size": len(self.content),
            "Checksums": checksums,
        }


class _Remembering(policy.EmailPolicy):
    """Caches parsed headers: a message parses a header anew at each access, and most are the same in every email."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        return _header(name, value)


@lru_cache(maxsize=1024)
def _header(name: str, value: str) -> Any:
    return policy.default.header_fetch_parse(name, value)


_POLICY: Any = _Remembering()


def read(raw: bytes) -> EmailMessage:
    message: EmailMessage = message_from_bytes(raw, policy=_POLICY)
    return message


def header(message: EmailMessage, name: str) -> str:
    """A header decoded to one line; "" where there is none."""
    return re.sub(r"\s+", " ", str(message.get(name, ""))).strip()


def addresses(message: EmailMessage, name: str) -> list[dict[str, str]]:
    values = [str(value) for value in message.get_all(name, [])]
    return [{"Name": shown, "Address": address} for shown, address in getaddresses(values) if address]


def body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body(preferencelist=(subtype,))
    if part is None or part.get_content_disposition() == "attachment":
        return ""
    try:
        return str(part.get_content()).replace("\r\n", "\n")
    except (LookupError, ValueError):
        return bytes(part.get_payload(decode=True) or b"").decode("utf-8", "replace")


def parts(message: EmailMessage) -> list[Part]:
    """Everything that is not the text or the HTML: attachments, and pictures inside the HTML."""
    bodies = [message.get_body(preferencelist=(subtype,)) for subtype in ("plain", "html")]
    found = []
    for number, part in enumerate(message.walk()):
        if part.is_multipart() or any(part is body for body in bodies):
            continue
        content = bytes(part.get_payload(decode=True) or b"")
        content_id = str(part.get("Content-ID", "")).strip("<> ")
        inline = part.get_content_disposition() != "attachment" and bool(content_id)
        found.append(Part(str(number), part.get_filename() or "", part.get_content_type(), content_id, content, inline))
    return found


def people(message: EmailMessage, recipients: list[str]) -> dict[str, Any]:
    """From, To and the rest; who was addressed in the envelope only is Bcc."""
    to, cc = addresses(message, "To"), addresses(message, "Cc")
    named = {person["Address"].lower() for person in to + cc}
    hidden = [{"Name": "", "Address": address} for address in recipients if address.lower() not in named]
    return {
        "From": next(iter(addresses(message, "From")), None),
        "To": to,
        "Cc": cc,
        "Bcc": hidden,
        "ReplyTo": addresses(message, "Reply-To"),
    }


def snippet(message: EmailMessage) -> str:
    text = body(message, "plain") or unescape(
        re.sub(r"(?s)<(style|script).*?</\1>|<[^>]+>", " ", body(message, "html"))
    )
    return re.sub(r"\s+", " ", text).strip()[:250]


def message_id(message: EmailMessage) -> str:
    return header(message, "Message-ID").strip("<>")


def sent_at(message: EmailMessage, received_at: datetime) -> datetime:
    """The Date header's time, the time of receipt where it has none."""
    try:
        when = parsedate_to_datetime(header(message, "Date"))
    except ValueError:
        return received_at
    return when if when.tzinfo else when.replace(tzinfo=UTC)
