"""What a customer whose order waits for a payment method could do with a VAT number instead, as their account is now."""

from sqlalchemy.orm import Session

from models.accounts import Account
from models.orders import Order
from models.rules import vat
from models.rules.vat_number import is_blank
from models.sold_to import SoldTo
from models.states import AWAITS_PAYMENT
from tasks.letters.reasons import Instead
from tasks.quotes import quoting
from tasks.upstream import payment_details
from tasks.wiring import policy


def instead(session: Session, order: Order) -> Instead | None:
    """None where only a payment method will do, or the account has one; also while the number given is set aside.

    A number against which nothing is known would do as it is, if the registry confirms it when it is asked.
    """
    if order.status not in AWAITS_PAYMENT or order.vat_set_aside:
        return None
    given = SoldTo.today(session.get_one(Account, order.account_id))
    if not _would_do(order, given) or payment_details.usable(session, order.account_id) is not None:
        return None
    if is_blank(given.vat_number):
        return Instead.GIVE_NUMBER
    number = given.vat(seller_country=policy().seller.country, at=order.as_of).number
    if number is None or vat.is_malformed(given.vat_number, country=given.country):
        return Instead.CORRECT_MALFORMED
    lately = order.as_of - policy().vat_evidence_lifetime
    if quoting.called_invalid(session, order.account_id, number, not_before=lately):
        return Instead.CORRECT_UNKNOWN
    return Instead.BE_INVOICED


def _would_do(order: Order, given: SoldTo) -> bool:
    """Whether the order would go on on a VAT number that is accepted."""
    if given.buyer_type != vat.BuyerType.BUSINESS or not vat.has_numbers(given.country):
        return False
    without = given.vat(seller_country=policy().seller.country, at=order.as_of, with_number=False).treatment
    if without is vat.Treatment.OUT_OF_SCOPE:
        return False
    return policy().invoice_on_vat or (order.due_minor == 0 and without is vat.Treatment.DESTINATION_RATE)
