"""One order for everything: seats cut on one product, a higher tier on another, a trial of a third; and the law that every amount
a customer meets is the same one: quoted, charged, invoiced, written in the email, moved in the ledger."""

import os
import re
from collections.abc import Iterator
from html import unescape

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.accounts import Language
from models.orders import Order
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from models.states import OrderStatus
from models.subscriptions import Subscription, Trial
from tasks.letters.wording import Wording
from tests.closing.equation import equation
from tests.invoices.documents import lines, one, pdf, summed_up, text_of
from tests.support import books
from tests.support.world import MONTH, YEAR, Customer, World, change, purchase, trial

LONG = os.environ.get("PRORATA_LONG") == "1"
EXAMPLES = 300 if LONG else 20


def test_a_mixed_cart_is_one_order_with_one_charge_and_each_line_its_own_arithmetic(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10), purchase("wiki", "team", seats=10))
    world.pass_time(days=15)
    order = world.buy(ada, change("desk", seats=4), change("wiki", tier="business"), trial("chat", seats=5))
    assert order.status is OrderStatus.COMPLETED
    assert [(x.charge_minor, x.unused_minor, x.tax_minor, x.total_minor) for x in order.lines] == [
        (40_00, 50_00, -1_90, -11_90),
        (200_00, 50_00, 28_50, 178_50),
        (0, 0, 0, 0),
    ]
    assert (order.net_minor, order.tax_minor, order.due_minor) == (140_00, 26_60, 166_60)
    assert world.charged(ada) == [238_00, 166_60]
    assert summed_up(one(world, order.id)) == ("INV-2026-000002", 140_00, 26_60, 166_60)
    assert world.letters(order.id) == ["confirmation", "seat_prompt", "trial_welcome"]
    said = text_of(pdf(world, one(world, order.id)))
    for sentence in (
        "Charge less credit, net: €40.00 − €50.00 = −€10.00.",
        "Charge less credit, net: €200.00 − €50.00 = €150.00.",
        "free trial",
    ):
        assert sentence in said
    assert agrees(world, ada)


def agrees(world: World, customer: Customer) -> bool:
    assert books.differences(world, customer.account_id) == []
    assert [each for each in equation(world) if each[1] != each[2]] == []
    return True


seats = st.integers(1, 400)
tiers = st.sampled_from(["basic", "team", "business"])
intervals = st.sampled_from([MONTH, YEAR])
steps = st.lists(
    st.tuples(
        st.integers(0, 20 * 86_400),
        st.dictionaries(st.sampled_from(["desk", "chat", "wiki"]), st.tuples(seats, tiers, intervals, st.booleans()), min_size=1),
        st.integers(0, 50_00),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip
accounts = st.fixed_dictionaries(
    {
        "currency": st.sampled_from(["EUR", "USD", "JPY", "KWD"]),
        "country": st.sampled_from(["DE", "AT", "CH", "FI"]),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"]),
    }
)
BEYOND_A_CARD = ("amount-too-small", "amount-too-large")
"""the provider charges from 0.50 EUR to 999,999.99 EUR; what is quoted outside ends without a charge"""
RANKS = {"basic": 0, "team": 1, "business": 2}


def cart(world: World, customer: Customer, wishes: dict[str, tuple[int, str, Interval, bool]]) -> Iterator[CartLine]:
    """The wishes as far as the rules allow: a trial or purchase of what is not held, else a change that is none downwards."""
    held = {s.product_code: s for s in world.rows(Subscription, account_id=customer.account_id)}
    tried = {row.product_code for row in world.rows(Trial, account_id=customer.account_id)}
    for product, (count, tier, interval, on_trial) in wishes.items():
        has = held.get(product)
        lapsed = has is not None and has.period_end <= world.time
        if has is None and on_trial and product != "wiki" and product not in tried:
            yield trial(product, tier, count)
        elif has is None or lapsed or has.interval is None:
            yield purchase(product, tier, count, interval)
        else:
            higher = tier if RANKS[tier] >= RANKS[has.tier_code] else has.tier_code
            if (higher, count, interval) != (has.tier_code, has.seats, has.interval):
                yield CartLine(Action.CHANGE, product, higher, count, interval)


@settings(
    max_examples=EXAMPLES, derandomize=not LONG, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)  # fmt: skip
@given(account=accounts, history=steps)
def test_quoted_is_charged_is_invoiced_is_written_is_booked(
    world: World, account: dict[str, str], history: list[tuple[int, dict[str, tuple[int, str, Interval, bool]], int]]
) -> None:
    customer = world.customer(**account)
    taken: list[int] = []
    for wait, wishes, granted in history:
        world.pass_time(seconds=wait)
        wanted = list(cart(world, customer, wishes))
        if not wanted:
            continue
        if granted:
            world.grant(customer, granted)
        before = world.balance(customer)
        quote = world.quote(customer, *wanted)
        order = world.run(world.place_quote(customer, quote.id))
        if order.reason in BEYOND_A_CARD:
            assert (order.status, world.charged(customer)) == (OrderStatus.REJECTED, taken)
            assert world.balance(customer) == before
            continue
        assert order.status is OrderStatus.COMPLETED, (order.status, order.reason, order.reason_facts)
        taken += [quote.due_minor] if quote.due_minor else []
        assert world.charged(customer) == taken
        assert (order.net_minor, order.tax_minor, order.total_minor) == (
            quote.net_minor,
            quote.tax_minor,
            quote.total_minor,
        )
        assert world.balance(customer) == before - quote.balance_used_minor + quote.to_balance_minor
        if any(line.interval is not None for line in order.lines):
            assert_documents_agree(world, customer, order)
    assert agrees(world, customer)


def assert_documents_agree(world: World, customer: Customer, order: Order) -> None:
    document = one(world, order.id)
    assert (document.total_minor, document.due_minor, document.to_balance_minor) == (
        order.total_minor,
        order.due_minor,
        order.to_balance_minor,
    )
    assert [line.total_minor for line in lines(world, document)] == [line.total_minor for line in order.lines]
    listed = world.mailbox.listed(f"to:{customer.email}")
    mail = next(m for m in listed if m["Subject"] == f"Order {order.number} is confirmed")
    said = flat(world.mailbox.read(mail["ID"])["Text"])
    w = Wording(Language.EN, order.currency, "UTC")
    for minor in (order.total_minor, *(line.total_minor for line in order.lines)):
        assert flat(w.money(minor)) in said
    assert flat(w.money(order.total_minor)) in flat(text_of(pdf(world, document)))


def flat(said: str) -> str:
    return re.sub(r"\s+", " ", unescape(said))
