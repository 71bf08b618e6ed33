"""What judges a drill: it finds nothing in honest books, names whatever is wrong in others, and the command fails with it."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from models.accounts import Account
from models.orders import Order
from models.states import OrderStatus
from tests.support.command import Command
from tests.support.payment import refundable
from tests.support.world import Customer, World, purchase
from worker.drill import crash
from worker.drill.audit import Audit, Finding, audit
from worker.drill.crash import CrashReport
from worker.drill.faults import FAULTS
from worker.drill.storm_report import StormReport


@dataclass
class Outside:
    """What Stripe and the mailbox say of one customer."""

    books: dict[str, list[dict[str, Any]]]
    mails: Counter[str]

    def of(self, kind: str) -> str:
        """The Message-ID of the letter of that kind."""
        return next(each for each in self.mails if f".{kind}@" in each)


Break = Callable[[Outside], object]


def outside(world: World, customer: Customer) -> Outside:
    with world.begin() as session:
        ref = session.get_one(Account, customer.account_id).customer_ref
    mails = world.mailbox.listed(f"to:{customer.email}")
    return Outside(world.stripe.books(ref or ""), Counter(mail["MessageID"] for mail in mails))


def found(world: World, told: Outside) -> list[tuple[UUID | None, str]]:
    with world.begin() as session:
        session.execute(text("delete from outbox"))
        return [(each.order_id, each.what) for each in audit(session, told.books, told.mails).findings]


@pytest.fixture
def completed(world: World) -> tuple[Order, Outside]:
    ada = world.customer()
    return world.buy(ada, purchase()), outside(world, ada)


@pytest.fixture
def refunded(world: World) -> tuple[Order, Outside]:
    ada, order_id = refundable(world)
    order = world.run(order_id)
    assert order.status is OrderStatus.REFUNDED
    return order, outside(world, ada)


def test_honest_books_are_found_honest(
    world: World, completed: tuple[Order, Outside], refunded: tuple[Order, Outside]
) -> None:
    (_, one), (_, other) = completed, refunded
    books = {name: one.books[name] + other.books[name] for name in one.books}
    assert found(world, Outside(books, one.mails + other.mails)) == []


def another_sum(told: Outside) -> None:
    told.books["charges"][0]["amount"] += 1


def another_currency(told: Outside) -> None:
    told.books["charges"][0]["currency"] = "usd"


def never_charged(told: Outside) -> None:
    told.books["charges"].clear()


def second_charge(told: Outside) -> None:
    told.books["charges"].append(deepcopy(told.books["charges"][0]))


def never_given_back(told: Outside) -> None:
    told.books["refunds"].clear()


def refunded_too(told: Outside) -> None:
    charge = told.books["charges"][0]
    told.books["refunds"].append({"status": "succeeded", "charge": charge["id"], "amount": charge["amount"]})


def nobodys_charge(told: Outside) -> None:
    second_charge(told)
    told.books["charges"][1]["metadata"] = {}


def of_an_unknown_order(told: Outside) -> None:
    second_charge(told)
    told.books["charges"][1]["metadata"] = {"order_id": str(UUID(int=1))}


def still_pending(told: Outside) -> None:
    told.books["payment_intents"][0]["status"] = "processing"


def no_mail_arrived(told: Outside) -> None:
    told.mails.clear()


def never_arrived(told: Outside) -> None:
    del told.mails[told.of("confirmation")]


def arrived_twice(told: Outside) -> None:
    told.mails[told.of("confirmation")] += 1


def stray(told: Outside) -> None:
    told.mails["stray@prorata.example"] += 1


@pytest.mark.parametrize(
    ("breaks", "what"),
    [
        (another_sum, "completed; Stripe charged [11901], and it should be [11900]"),
        (another_currency, "charged in another currency"),
        (never_charged, "completed; Stripe charged [], and it should be [11900]"),
        (second_charge, "completed; Stripe charged [11900, 11900], and it should be [11900]"),
        (refunded_too, "completed; Stripe refunded [11900], and it should be []"),
        (nobodys_charge, "belongs to no order"),
        (of_an_unknown_order, "Stripe charged for an order we do not have"),
        (still_pending, "may yet be taken"),
        (never_arrived, "completed, and its confirmation never arrived"),
        (arrived_twice, "its confirmation arrived 2 times, and was sent once"),
        (stray, "an email nobody here wrote: stray@prorata.example"),
    ],
)
def test_what_outside_says_otherwise_is_found(
    world: World, completed: tuple[Order, Outside], breaks: Break, what: str
) -> None:
    _, told = completed
    breaks(told)
    assert any(what in each for _, each in found(world, told))


@pytest.mark.parametrize(
    ("breaks", "what"),
    [
        (never_given_back, "refunded; Stripe refunded [], and it should be [11900]"),
        (no_mail_arrived, "refunded, and its refund_notice never arrived"),
    ],
)
def test_what_did_not_come_back_is_found(
    world: World, refunded: tuple[Order, Outside], breaks: Break, what: str
) -> None:
    order, told = refunded
    breaks(told)
    assert found(world, told) == [(order.id, what)]


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("update orders set status = 'needs_attention', next_step = 'validate_cart', finished_at = null", "has not ended: needs_attention"),
        ("delete from charge_attempts", "we have the charges []"),
        ("delete from subscription_periods", "completed; activated 0 lines, and it should be 1"),
        ("update quotes set net_minor = net_minor + 1, total_minor = total_minor + 1, due_minor = due_minor + 1", "its amount due is 11900"),
        ("insert into order_events (order_id, kind, facts) select id, 'order.completed', '{}' from orders", "order.completed 2 times"),
        ("update order_lines set unit_minor = unit_minor + 1", "ledger: "),
    ],
)  # fmt: skip
def test_what_we_have_written_otherwise_is_found(
    world: World, completed: tuple[Order, Outside], statement: str, what: str
) -> None:
    _, told = completed
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))
        session.execute(text(statement))
    assert any(each.startswith(what) for _, each in found(world, told))


def test_a_message_that_still_waits_is_found(world: World, completed: tuple[Order, Outside]) -> None:
    _, told = completed
    with world.begin() as session:
        assert [each.what for each in audit(session, told.books, told.mails).findings] == [
            "1 messages still wait in the outbox"
        ]


# The command


@contextmanager
def nowhere(*_: object, **__: object) -> Iterator[Any]:
    yield None


class Between:
    detour = None


@contextmanager
def no_proxies(*_: object) -> Iterator[Between]:
    yield Between()


@pytest.mark.parametrize(("findings", "status"), [([], 0), ([Finding(None, "an email nobody here wrote")], 1)])
@pytest.mark.parametrize("words", [(), ("storm",)], ids=["crashes", "storm"])
def test_a_drill_that_finds_something_fails(
    prorata: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], findings: list[Finding], status: int
) -> None:
    audit = Audit(findings=findings)
    stormy = StormReport(1, 0, 1.0, quiet_after=1.0, audit=audit)
    stormy.strikes.update(fault.name for fault in FAULTS)
    monkeypatch.setattr("worker.commands.drill.ground", nowhere)
    monkeypatch.setattr("worker.commands.drill.proxies", no_proxies)
    monkeypatch.setattr(crash, "run", lambda *_, **__: CrashReport(audit=audit))
    monkeypatch.setattr("worker.commands.drill.run_storm", lambda *_, **__: stormy)
    ended = prorata("drill", *words, "--json")
    assert ended.status == status
    assert f'"passed": {"false" if findings else "true"}' in ended.out
