"""Named places where a drill may kill the process. Inert unless `arm` was called; production settings refuse to.

The places of each step, in the order in which a delivery passes them:
<step>.delivered (before the claim), <step>.claimed, <step>.calling (an external effect is about to be requested; missing in steps
without one), <step>.called (effect done, not recorded), <step>.recorded (not acknowledged).
`collect_payment` passes .calling and .called once more if it gives back a charge of another amount.
One more: collect_payment.key_spent (the provider has failed, and keeps that under the charge's key).
Beside the steps: placement.inserted and placement.committed (of the Idempotency-Key), relay.published (of `outbox`: not
deleted yet).
"""

from collections.abc import Callable
from contextvars import ContextVar

Reached = Callable[[str, str], None]
"""called with the place and its subject: an order's id, an Idempotency-Key, or `outbox`"""

_on_reach: Reached | None = None
_order: ContextVar[str] = ContextVar("order", default="")


def arm(on_reach: Reached | None) -> None:
    """Call `on_reach` with each place that is reached; None disarms."""
    global _on_reach
    _on_reach = on_reach


def working_on(order_id: object) -> None:
    """Set the subject of the places that this thread reaches from now on."""
    _order.set(str(order_id))


def reach(place: str, subject: object = None) -> None:
    """subject: what this is about, if not the order that this thread works on."""
    if _on_reach is not None:
        _on_reach(place, _order.get() if subject is None else str(subject))
