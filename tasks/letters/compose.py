"""A letter, composed: what is said, once; laid out as text and as HTML; under a Message-ID that never changes."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from models.accounts import Account, Contact
from models.orders import Order, OrderLine
from models.states import LetterKind
from tasks.letters.as_html import as_html
from tasks.letters.as_text import as_text
from tasks.letters.confirmation import confirmation
from tasks.letters.content import Content
from tasks.letters.names import ProductNames
from tasks.letters.occasion import Occasion
from tasks.letters.refund_notice import refund_notice
from tasks.letters.seat_prompt import seat_prompt
from tasks.letters.trial_welcome import trial_welcome
from tasks.letters.vat_correction import VatCorrection, vat_correction
from tasks.letters.wording import Wording
from tasks.plain_text import one_line
from tasks.policy import Seller
from tasks.ports import Letter


def compose(
    *,
    kind: LetterKind,
    order: Order,
    lines: Sequence[OrderLine],
    account: Account,
    contact: Contact,
    seller: Seller,
    names: ProductNames,
    card: str | None,
    reason: str | None = None,
    refunded_minor: int | None = None,
    refunded_outside: bool = False,
    transferred_minor: int = 0,
    trials_running: Sequence[str] = (),
    unassigned: Mapping[str, int] | None = None,
    correction: VatCorrection | None = None,
) -> Letter:
    """The letter of `kind` to `contact`, in the order's language and the account's time zone.

    card: what the customer knows it by, 'Visa •••• 4242'. reason: for a refund notice, the code of why.
    refunded_minor: for a refund notice, what went back to the card; None: all that was charged.
    refunded_outside: for a refund notice, whether that went back in another way than to the card.
    transferred_minor: for a refund notice, what had been paid by transfer and is balance now.
    trials_running: for a refund notice, the products by code whose trials the order began and that go on.
    unassigned: for a seat prompt, seats without a user by product code; None: as many as the order added.
    correction: for a VAT correction, what it comes to.
    """
    occasion = Occasion(
        w=Wording(order.language, order.currency, account.timezone),
        order=order,
        lines=lines,
        account=account,
        contact=contact,
        seller=seller,
        names=names,
        card=card,
        reason=reason,
        refunded_minor=refunded_minor,
        refunded_outside=refunded_outside,
        transferred_minor=transferred_minor,
        trials_running=trials_running,
        unassigned=unassigned,
    )
    content = _content(kind, occasion, correction)
    return Letter(
        message_id=message_id(order.id, kind, seller.mail_domain),
        to=contact.email,
        subject=one_line(content.subject),
        text=as_text(content, occasion.w),
        html=as_html(content, language=order.language.value, sender=seller.name),
        language=order.language.value,
    )


def _content(kind: LetterKind, occasion: Occasion, correction: VatCorrection | None) -> Content:
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
            return vat_correction(occasion, correction)


def message_id(order_id: UUID, kind: LetterKind, domain: str) -> str:
    """`<order-….confirmation@prorata.example>`: made from order and kind, so that a letter sent twice is one letter."""
    return f"<order-{order_id}.{kind.value}@{domain.encode('idna').decode()}>"
