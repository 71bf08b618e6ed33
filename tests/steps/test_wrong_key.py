"""Where no order is parked for it, a wrong key of the provider is one line of the log that names the setting, not a traceback."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from structlog.testing import capture_logs

from models.states import OrderStatus
from tasks import wiring
from tasks.charges import webhooks
from tasks.charges.late_charges import late_charges
from tasks.charges.payment_authentication import ask_about_authentication
from tests.steps.test_late_charges import given_up
from tests.support.payment import ASKS_BANK
from tests.support.world import World, purchase

SAID = "Stripe refuses our API key, see PRORATA_STRIPE_API_KEY: "


def with_a_wrong_key(world: World) -> None:
    wiring.plug_in(replace(world.wiring, payments=world.stripe.payments(api_key="sk_test_wrong")))


def errors(logs: Iterable[Mapping[str, object]]) -> list[tuple[object, bool, bool]]:
    """Of each error that was logged: its event, whether it names the setting, whether it brings a traceback."""
    return [
        (entry["event"], str(entry.get("error")).startswith(SAID), bool(entry.get("exc_info")))
        for entry in logs
        if entry["log_level"] == "error"
    ]


def test_a_payment_that_awaits_its_customer_still_waits(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    with_a_wrong_key(world)
    with capture_logs() as logs:
        assert ask_about_authentication(str(order.id)) == "cannot be asked about"
    assert errors(logs) == [("payment cannot be asked about", True, False)]
    assert world.order(order.id).status is OrderStatus.AWAITING_AUTHENTICATION


def test_a_notification_is_kept(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.receive(world.charge_ref(order.id), "payment_intent.succeeded")
    with_a_wrong_key(world)
    with capture_logs() as logs:
        assert webhooks.handle_webhooks() == 0
    assert errors(logs) == [("webhook cannot be handled", True, False)]


def test_a_late_charge_is_looked_up_later(world: World) -> None:
    given_up(world, world.customer())
    world.pass_time(minutes=15)
    with_a_wrong_key(world)
    with capture_logs() as logs:
        assert late_charges() == 1
    assert errors(logs) == [("late charge cannot be handled", True, False)]
