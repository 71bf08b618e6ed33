"""Mailpit's search language, the part that tests use.

Words must all occur; `"two words"` together; `-word` must not. `to:`, `from:`, `cc:`, `bcc:`, `reply-to:`, `subject:`,
`message-id:`, `is:read`, `is:unread`, `has:attachment`. Not covered: tags, dates and sizes, which find nothing here.
"""

import json
import re
from typing import Any

from api_stub.stand_ins.mailbox.store import Listed

FIELDS = {
    "to": "To",
    "from": "From",
    "cc": "Cc",
    "bcc": "Bcc",
    "reply-to": "ReplyTo",
    "subject": "Subject",
    "message-id": "MessageID",
}
_TERM = re.compile(r'([-!]?)((?:[a-z-]+:)?)(?:"([^"]*)"|(\S+))', re.IGNORECASE)


def matches(listed: Listed, query: str) -> bool:
    return all(
        _holds(listed, prefix.lower().rstrip(":"), (quoted or word).lower()) is not bool(negated)
        for negated, prefix, quoted, word in _TERM.findall(query)
    )


def _holds(listed: Listed, field: str, word: str) -> bool:
    summary = listed.summary
    match field, word:
        case "is", "read" | "unread":
            return bool(summary["Read"] is (word == "read"))
        case "has", "attachment" | "attachments":
            return bool(summary["Attachments"])
        case "", _:
            return word in listed.words
        case _ if field in FIELDS:
            return word.strip("<>") in _as_text(summary[FIELDS[field]])
    return False


def _as_text(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).lower()
