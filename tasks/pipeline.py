"""The business process. An order goes through it from top to bottom, as a chain of Celery tasks, each leading to the next; only its
id travels. A worker that takes all queues runs them one after another, without messages in between.

    validate_cart            may this account order this?
    compute_proration        is the amount still what the customer confirmed?
    collect_payment          take it once, or invoice it, or find that nothing is due
    activate_subscription    activate what was bought, a new period from today
    send_confirmation_email  tell the customer, with the arithmetic
    prompt_seat_assignment   where seats rose, ask to assign them

If what was charged cannot be activated: refund_payment, then send_refund_notice.

A worker imports this module, which registers the steps as Celery tasks (`tasks.step`). Each hands the order to the one that follows it in
`WAY_FORWARD`, or `BACK`, of models/states.py.
"""

from tasks.activate_subscription import activate_subscription
from tasks.collect_payment import collect_payment
from tasks.compute_proration import compute_proration
from tasks.prompt_seat_assignment import prompt_seat_assignment
from tasks.refund_payment import refund_payment
from tasks.send_confirmation_email import send_confirmation_email
from tasks.send_refund_notice import send_refund_notice
from tasks.validate_cart import validate_cart

__all__ = [  # noqa: RUF022 - in the order of the process
    "validate_cart",
    "compute_proration",
    "collect_payment",
    "activate_subscription",
    "send_confirmation_email",
    "prompt_seat_assignment",
    "refund_payment",
    "send_refund_notice",
]
