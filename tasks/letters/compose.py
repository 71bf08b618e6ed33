"""A letter, composed: its content, laid out as text and as HTML; under a Message-ID made from the order."""

from uuid import UUID

from models.states import LetterKind
from tasks.letters.as_html import as_html
from tasks.letters.as_text import as_text
from tasks.letters.content import Content
from tasks.letters.occasion import Occasion
from tasks.plain_text import one_line
from tasks.ports import Letter


def compose(kind: LetterKind, occasion: Occasion, content: Content) -> Letter:
    """content: what the letter says, in the order's language and the account's time zone."""
    language = occasion.order.language.value
    seller = occasion.seller
    return Letter(
        message_id=message_id(occasion.order.id, kind, seller.mail_domain),
        to=occasion.contact.email,
        subject=one_line(content.subject),
        text=as_text(content, occasion.w),
        html=as_html(content, language=language, sender=seller.name),
        language=language,
    )


def message_id(order_id: UUID, kind: LetterKind, domain: str, *, again: int = 0) -> str:
    """`<order-….confirmation@prorata.example>`: made from order and kind, so that a letter sent twice is one letter.

    again: how often an operator has sent it again; mail programs then show another letter.
    """
    which = f"{kind.value}.again-{again}" if again else kind.value
    return f"<order-{order_id}.{which}@{domain}>"
