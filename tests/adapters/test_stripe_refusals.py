"""What Stripe's refusals mean that the stand-in never makes."""

import pytest
import stripe

from tasks.errors import Misconfigured
from worker.adapters import stripe_refusals


def test_a_customer_who_has_as_many_cards_as_stripe_keeps_is_not_told_that_the_card_was_refused() -> None:
    full = stripe.InvalidRequestError("Too many.", None, code="customer_max_payment_methods", http_status=400)  # type: ignore[no-untyped-call]
    with pytest.raises(
        Misconfigured, match=r"keeps no more payment methods for the customer cus_1: detach some .* in its Dashboard"
    ):
        stripe_refusals.method(full, customer_ref="cus_1", is_deleted=lambda: False)
