"""What to say of VAT numbers to a customer who has no payment method (any more): that one would do instead, or what is wrong with the one given."""

from typing import Any

from sqlalchemy.orm import Session

from models import order_cache
from models.orders import Order
from models.rules import vat
from models.rules.vat_number import is_blank
from models.sold_to import SoldTo, sold_to
from tasks.quotes import quoting
from tasks.upstream import payment_details
from tasks.wiring import policy

MALFORMED = "malformed"
_NOT_RECOGNISED = "not-recognised"


def facts(session: Session, order: Order) -> dict[str, Any]:
    """To be kept with the reason why the order waits; empty where there is nothing to say, as while the number given is set aside."""
    given = sold_to(order, order_cache.account(session, order))
    if order.vat_set_aside or not _would_do(session, order, given):
        return {}
    if is_blank(given.vat_number):
        return {"vat_number_would_do": True}
    number = given.vat(seller_country=policy().seller.country, at=order.as_of).number
    if number is None:
        return {"vat_number": MALFORMED}
    lately = order.as_of - policy().vat_evidence_lifetime
    if quoting.called_invalid(session, order.account_id, number, not_before=lately):
        return {"vat_number": _NOT_RECOGNISED}
    return {}


def facts_after_decline(session: Session, order: Order) -> dict[str, Any]:
    """To be kept with the reason why the order waits for another card than the one just declined; empty, too, where it would be charged to another one.

    A number against which nothing is known would do as it is, if the registry confirms it when it is asked.
    """
    if payment_details.usable(session, order.account_id) is not None:
        return {}
    of_number = facts(session, order)
    if of_number or order.vat_set_aside:
        return of_number
    given = sold_to(order, order_cache.account(session, order))
    return {"invoice_would_do": True} if _would_do(session, order, given) else {}


def _would_do(session: Session, order: Order, given: SoldTo) -> bool:
    """Whether the order would go on if the customer gave a VAT number that is accepted."""
    treatments = {line.tax_treatment for line in order_cache.lines(session, order)}
    if given.buyer_type != vat.BuyerType.BUSINESS:
        return False
    if vat.Treatment.OUT_OF_SCOPE in treatments or not vat.has_numbers(given.country):
        return False
    decides_tax = vat.Treatment.DESTINATION_RATE in treatments
    return policy().invoice_on_vat or (order.due_minor == 0 and decides_tax)
