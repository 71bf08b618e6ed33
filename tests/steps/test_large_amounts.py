"""Amounts beyond 32 bits are carried through like any other; what a balance or a reader of JSON could not hold gets no quote."""

import pytest

from models.rules.refusals import Refusal, RefusalCode
from models.subscriptions import SubscriptionPeriod
from tests.support.books import verified
from tests.support.world import MONTH, YEAR, Customer, World, change, purchase


@pytest.fixture
def ada(world: World) -> Customer:
    """In Japan, so without VAT."""
    return world.customer(country="JP", currency="JPY", timezone="Asia/Tokyo")


def test_a_credit_beyond_32_bits_is_activated_as_quoted(world: World, ada: Customer) -> None:
    world.grant(ada, 2_500_000_000)
    world.buy(ada, purchase(seats=250_000, interval=YEAR))
    world.pass_time(days=1)
    order = world.buy(ada, change(seats=250_900))
    [line] = order.lines
    assert (line.charge_minor, line.unused_minor) == (2_509_000_000, 2_493_150_685)
    assert (order.status, world.charged(ada)) == ("completed", [15_849_315])
    assert [(row.charged_minor, row.unused_minor, row.unused_tax_minor) for row in world.rows(SubscriptionPeriod)] == [
        (2_500_000_000, 2_493_150_685, 0),
        (2_509_000_000, None, None),
    ]
    assert verified(world) == []


def test_an_order_of_more_than_can_be_billed_gets_no_quote(world: World, ada: Customer) -> None:
    world.reprice("desk", "team", MONTH, 10**12)
    assert world.quote(ada, purchase(seats=1000)).due_minor == 10**15
    assert world.refused(ada, purchase(seats=1000), purchase("chat", seats=1)) == [Refusal(RefusalCode.ORDER_TOO_LARGE)]
    assert world.refused(ada, purchase(seats=1_000_000)) == [Refusal(RefusalCode.ORDER_TOO_LARGE)]


def test_tax_counts_towards_what_can_be_billed(world: World) -> None:
    world.reprice("desk", "team", MONTH, 10**12)
    assert world.refused(world.customer(), purchase(seats=1000)) == [Refusal(RefusalCode.ORDER_TOO_LARGE)]
