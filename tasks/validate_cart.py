"""May this account still order this cart? Things may have changed since the quote."""

from uuid import UUID

from sqlalchemy.orm import Session

from models import order_cache
from models.orders import Order
from models.states import Step
from tasks import display_names
from tasks.cancellation import stop_if_cancelled
from tasks.failure_points import reach
from tasks.quotes import quoting, support_case
from tasks.quotes.ordered_cart import cart_of
from tasks.quotes.quoting import CartRefused
from tasks.quotes.rejection import reject
from tasks.running.outcome import Outcome
from tasks.step import done, step, take
from tasks.wiring import carry, now

THIS = Step.VALIDATE_CART


@step
def validate_cart(order_id: UUID) -> Outcome:
    """Check the cart against the account as it is now. An order that is no longer allowed ends as rejected, with the reasons."""
    with carry() as session:
        order = take(session, order_id, THIS)
        reach("validate_cart.claimed")
        outcome = _validate(session, order)
        reach("validate_cart.called")
        return outcome


def _validate(session: Session, order: Order) -> Outcome:
    if ended := stop_if_cancelled(session, order):
        return ended
    lines = order_cache.lines(session, order)
    cart = cart_of(lines)
    try:
        found = quoting.check(
            session,
            account_id=order.account_id,
            contact_id=order.contact_id,
            cart=cart,
            as_of=order.as_of,
            priced_at=now(),
        )
    except CartRefused as refused:
        support_case.open_cases(session, cart, refused)
        return reject(session, order, refused)
    order_cache.keep_cart_facts(session, order, found)
    if found.contact is not None:
        order_cache.keep_customer(order, found.account, found.contact)
    display_names.keep_names(order, lines, found.sold)
    return done(session, order)
