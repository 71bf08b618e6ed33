"""A letter, composed: what is said, once; laid out as text and as HTML; under a Message-ID that never changes."""

from uuid import UUID

from models.states import LetterKind
from tasks.letters.as_html import as_html
from tasks.letters.as_text import as_text
from tasks.letters.confirmation import confirmation
from tasks.letters.content import Content
from tasks.letters.occasion import Occasion
from tasks.letters.refund_notice import refund_notice
from tasks.letters.seat_prompt import seat_prompt
from tasks.letters.trial_welcome import trial_welcome
from tasks.letters.vat_correction import vat_correction
from tasks.plain_text import one_line
from tasks.ports import Letter


def compose(kind: LetterKind, occasion: Occasion) -> Letter:
    """The letter of `kind`, in the order's language and the account's time zone."""
    language = occasion.order.language.value
    seller = occasion.seller
    content = _content(kind, occasion)
    return Letter(
        message_id=message_id(occasion.order.id, kind, seller.mail_domain),
        to=occasion.contact.email,
        subject=one_line(content.subject),
        text=as_text(content, occasion.w),
        html=as_html(content, language=language, sender=seller.name),
        language=language,
    )


def _content(kind: LetterKind, occasion: Occasion) -> Content:
    match kind:
        case LetterKind.CONFIRMATION:
            return confirmation(occasion)
        case LetterKind.TRIAL_WELCOME:
            return trial_welcome(occasion)
        case LetterKind.SEAT_PROMPT:
            return seat_prompt(occasion)
        case LetterKind.REFUND_NOTICE:
            return refund_notice(occasion)
        case LetterKind.VAT_CORRECTION:
            return vat_correction(occasion)


def message_id(order_id: UUID, kind: LetterKind, domain: str) -> str:
    """`<order-….confirmation@prorata.example>`: made from order and kind, so that a letter sent twice is one letter."""
    return f"<order-{order_id}.{kind.value}@{domain.encode('idna').decode()}>"
