"""The business process. An order goes through it from top to bottom, as a chain of Celery tasks, each leading to the next; only its
id travels. A worker that takes all queues runs them one after another, without messages in between.

    validate_cart            may this account order this?
    compute_proration        is the amount still what the customer confirmed?
    collect_payment          take it once, or invoice it, or find that nothing is due
    activate_subscription    activate what was bought, a new period from today
    send_confirmation_email  tell the customer, with the arithmetic
    prompt_seat_assignment   where seats rose, ask to assign them

If what was charged cannot be activated: refund_payment, then send_refund_notice.
"""

from celery import Task

from models.states import Step
from tasks.activate_subscription import activate_subscription
from tasks.collect_payment import collect_payment
from tasks.compute_proration import compute_proration
from tasks.prompt_seat_assignment import prompt_seat_assignment
from tasks.refund_payment import refund_payment
from tasks.send_confirmation_email import send_confirmation_email
from tasks.send_refund_notice import send_refund_notice
from tasks.validate_cart import validate_cart

TASKS: dict[Step, Task] = {
    Step.VALIDATE_CART: validate_cart,
    Step.COMPUTE_PRORATION: compute_proration,
    Step.COLLECT_PAYMENT: collect_payment,
    Step.ACTIVATE_SUBSCRIPTION: activate_subscription,
    Step.SEND_CONFIRMATION_EMAIL: send_confirmation_email,
    Step.PROMPT_SEAT_ASSIGNMENT: prompt_seat_assignment,
    Step.REFUND_PAYMENT: refund_payment,
    Step.SEND_REFUND_NOTICE: send_refund_notice,
}
