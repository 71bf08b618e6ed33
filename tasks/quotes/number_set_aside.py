"""A VAT number that was set aside in an outage: VAT is charged although the customer gave it.

That applies only to the number that the registry was asked about, not to another that the customer gives meanwhile.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from models.accounts import Account
from models.orders import Order
from models.rules.vat import Treatment
from models.sold_to import SoldTo, sold_to
from tasks.wiring import policy


def still_given(session: Session, order: Order, *, at: datetime) -> str | None:
    """The number that is set aside for the order, if the account gives it today and it would decide the VAT of a sale at `at`."""
    if not order.vat_set_aside:
        return None
    account = session.get_one(Account, order.account_id, populate_existing=True)
    seller = policy().seller.country
    before = sold_to(order, account).vat(seller_country=seller, at=order.as_of)
    today = SoldTo.today(account).vat(seller_country=seller, at=at)
    decides = today.treatment is Treatment.REVERSE_CHARGE and today.number == before.number
    return today.number if decides else None
