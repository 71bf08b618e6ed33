"""A restricted key with the permissions that docs/deploying.md lists does all that the adapter does; with one less, it says which."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import stripe

from tasks.errors import Misconfigured
from tests.support.buyer import new_buyer
from tests.support.stripe_stand_in import StripeStandIn
from worker.adapters.stripe import StripePayments

DOCUMENT = Path(__file__).parents[2] / "docs" / "deploying.md"
PERMISSIONS = re.findall(r"(?:Read|Write) \(`(rak_\w+)`\)", DOCUMENT.read_text(encoding="utf-8"))
KEY = "rk_test_prorata"


def restricted(stand_in: StripeStandIn, permissions: list[str]) -> StripePayments:
    stand_in.control("restricted-key", key=KEY, permissions=permissions)
    return stand_in.payments(api_key=KEY)


def all_that_it_does(stand_in: StripeStandIn, payments: StripePayments) -> Iterator[object]:
    buyer = new_buyer(payments)
    yield (charge := payments.charge(buyer.charge()))
    yield payments.retrieve_charge(charge.ref)
    yield buyer.found()
    yield payments.cancel_charge(charge.ref)
    yield payments.refund(buyer.refund(charge.ref))
    yield payments.refund(buyer.refund(charge.ref))  # the second reads the refund again
    yield payments.find_refunds(charge_ref=charge.ref)
    disputed = payments.charge(buyer.charge(attempt=2))
    stand_in.control("dispute", payment_intent=disputed.ref, status="needs_response")
    yield payments.find_disputes(charge_ref=disputed.ref)
    a_minute = timedelta(minutes=1)
    yield list(payments.charges_made(datetime.now(UTC) - a_minute, datetime.now(UTC) + a_minute))
    yield list(payments.disputes_made(datetime.now(UTC) - a_minute, datetime.now(UTC) + a_minute))
    yield list(payments.refunds_made(datetime.now(UTC) - a_minute, datetime.now(UTC) + a_minute))


def test_the_permissions_in_the_documentation_are_enough(stripe_server: StripeStandIn) -> None:
    assert len(PERMISSIONS) == 5
    assert all(all_that_it_does(stripe_server, restricted(stripe_server, PERMISSIONS)))


@pytest.mark.parametrize("lacking", PERMISSIONS)
def test_no_permission_in_the_documentation_is_too_many_and_a_missing_one_is_named(
    stripe_server: StripeStandIn, lacking: str
) -> None:
    others = [permission for permission in PERMISSIONS if permission != lacking]
    asked = f"API key may not do this .it lacks the permission {lacking}., see PRORATA_STRIPE_API_KEY: .* 403 req_"
    with pytest.raises(Misconfigured, match=asked):
        list(all_that_it_does(stripe_server, restricted(stripe_server, others)))


def test_to_read_is_not_to_write(stripe_server: StripeStandIn) -> None:
    stripe_server.control("restricted-key", key=KEY, permissions=["rak_customer_read"])
    client = stripe.StripeClient(KEY, base_addresses={"api": stripe_server.url}, max_network_retries=0)
    customer = stripe_server.client().v1.customers.create({"name": "Ada"})
    assert client.v1.customers.retrieve(customer.id).name == "Ada"
    with pytest.raises(stripe.PermissionError) as refused:
        client.v1.customers.create({"name": "Bob"})
    assert (refused.value.http_status, refused.value.code) == (403, None)
    assert "Having the 'rak_customer_write' permission" in str(refused.value)
