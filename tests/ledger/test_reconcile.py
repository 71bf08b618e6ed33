"""`reconcile` finds nothing where the provider's books and ours agree, and names each charge and refund that only one of them has."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Container
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text
from typer.testing import CliRunner

from models.books_checks import BooksCheck
from models.payments import RefundAttempt
from models.states import OrderStatus
from tasks.charges import webhooks
from tasks.errors import TemporarilyUnavailable
from tasks.operating import dispute_settlements, outside_refunds, refund_notes
from tasks.ports import Charge, ChargeStatus
from tasks.reconciliation import unseen
from tasks.reconciliation.charges import check_charges, check_missing_charges
from tasks.reconciliation.reconcile import Reconciled, reconcile
from tasks.reconciliation.refunds import check_missing_refunds
from tasks.reconciliation.words import numbers
from tests.support.backup import BackUp
from tests.support.command import SETTINGS, interruptible
from tests.support.disputes import bought, dispute_part
from tests.support.payment import (
    DECLINES,
    charged_again,
    given_up_and_paid_late,
    refund,
    refund_by_hand,
    refund_that_fails,
    refundable,
    unanswered,
)
from tests.support.stripe_stand_in import API_KEY
from tests.support.waiting import until_it_waits_for
from tests.support.world import Customer, World, purchase
from worker.adapters import stripe_pages
from worker.commands import ledger


@pytest.fixture(autouse=True)
def _now_is_now(world: World) -> None:
    """The provider has a clock of its own."""
    world.time = datetime.now(UTC)


def reconciled(world: World) -> Reconciled:
    return reconcile(world.time - timedelta(minutes=1), world.time + timedelta(hours=1))


def differences(world: World, *customers: Customer, also: str = "") -> list[tuple[str, str, str, str]]:
    """Those about these customers' charges and refunds: other tests have theirs at the same provider. also: about this as well."""
    books = [world.books(customer) for customer in customers]
    refs = {made["id"] for each in books for kind in ("payment_intents", "refunds") for made in each[kind]} | {also}
    found = [d for d in reconciled(world).differences if d.what.split()[1] in refs]
    return sorted((d.where, d.what.split()[0], d.expected, d.found) for d in found)


def execute(world: World, statement: str, **values: object) -> None:
    with world.begin() as session:
        session.execute(text(statement), values)


def customer_of(world: World, customer: Customer) -> str:
    return str(world.books(customer)["payment_intents"][0]["customer"])


def test_honest_books_agree(world: World) -> None:
    bought, declined = world.customer(), world.customer(card=DECLINES)
    world.buy(bought, purchase())
    order_id = world.buy(declined, purchase()).id
    world.give_card(declined)
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    refunded, order_id = refundable(world)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert differences(world, bought, declined, refunded) == []


def disputed(world: World, order_id: UUID, status: str) -> str:
    made = world.stripe.control("dispute", payment_intent=world.charge_ref(order_id), status=status)
    return str(made["id"])


def test_a_dispute_is_named_until_it_is_noted_and_once_it_is_lost_while_its_money_counts_as_ours(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())

    def named(dispute: str) -> list[tuple[str, str]]:
        return [(expected, found) for _, _, expected, found in differences(world, ada, also=dispute)]

    inquiry = disputed(world, order.id, "warning_needs_response")
    assert named(inquiry) == [("inquiry: 11900 EUR", "nothing")]
    world.notify(world.charge_ref(order.id), "charge.dispute.created")
    assert named(inquiry) == []
    disputed(world, order.id, "needs_response")
    assert named(inquiry) == [("chargeback: 11900 EUR", "nothing")]
    world.notify(world.charge_ref(order.id), "charge.dispute.funds_withdrawn")
    assert named(inquiry) == []
    disputed(world, order.id, "lost")
    assert named(inquiry) == [("lost: 11900 EUR", "nothing")]
    world.notify(world.charge_ref(order.id), "charge.dispute.closed")
    assert named(inquiry) == [("lost: 11900 EUR", "noted as lost, but counted as taken")]
    outside_refunds.settle(order.id, by="Olga", why="dispute lost")
    assert world.run(order.id).status is OrderStatus.REFUNDED
    assert named(inquiry) == []
    assert reconciled(world).disputes == 1


def test_a_lost_dispute_that_a_person_has_settled_is_not_named(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    lost = disputed(world, order.id, "lost")
    world.notify(world.charge_ref(order.id), "charge.dispute.closed")
    named = [(expected, found) for _, _, expected, found in differences(world, ada, also=lost)]
    assert named == [("lost: 11900 EUR", "noted as lost, but counted as taken")]
    dispute_settlements.settle(order.id, by="Olga", why="paid again")
    assert differences(world, ada, also=lost) == []


def test_a_lost_dispute_is_named_although_another_of_its_charge_is_settled(world: World) -> None:
    ada, order_id, charge = bought(world)
    dispute_part(world, charge, 50_00)
    world.notify(charge, "charge.dispute.closed")
    [settled] = dispute_settlements.settle(order_id, by="Olga", why="paid again")
    dispute_part(world, charge, 69_00)
    world.notify(charge, "charge.dispute.closed")
    refs = {made.id for made in world.stripe.client().v1.disputes.list({"payment_intent": charge}).data}
    [other] = refs - {settled}
    assert differences(world, ada, also=settled) == []
    named = [(expected, found) for _, _, expected, found in differences(world, ada, also=other)]
    assert named == [("lost: 6900 EUR", "noted as lost, but counted as taken")]


def test_what_a_restored_database_has_forgotten_is_named(world: World, backed_up: BackUp) -> None:
    ada, bob = world.customer(), world.customer()
    forgotten_half = world.place(ada, purchase())
    restore = backed_up()
    world.run(forgotten_half)
    forgotten = world.buy(bob, purchase()).id
    number = world.order(forgotten_half).number
    restore()
    assert differences(world, ada, bob) == [
        (f"order {forgotten}, which is not here", "charge", "succeeded: 11900 EUR", "nothing"),
        (f"order {number}", "charge", "succeeded: 11900 EUR", "nothing"),
    ]
    assert world.run(forgotten_half).status is OrderStatus.COMPLETED
    assert [where for where, *_ in differences(world, ada, bob)] == [f"order {forgotten}, which is not here"]


@pytest.mark.parametrize("in_the_backup", ["no attempt", "an attempt without an answer"])
def test_a_refund_of_a_charge_that_only_its_order_here_tells_of_is_named(
    world: World, backed_up: BackUp, in_the_backup: str
) -> None:
    ada = world.customer()
    order_id = unanswered(world, ada) if in_the_backup != "no attempt" else world.place(ada, purchase())
    restore = backed_up()
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    refund_by_hand(world, order_id, 119_00)
    restore()
    where = f"order {world.order(order_id).number}"
    found = "nothing" if in_the_backup == "no attempt" else "pending: 11900 EUR"
    assert differences(world, ada) == [
        (where, "charge", "succeeded: 11900 EUR", found),
        (where, "refund", "succeeded: 11900 EUR", "nothing"),
    ]


@pytest.mark.parametrize("by_hand", [False, True], ids=["by Prorata", "elsewhere"])
def test_a_refund_that_a_restored_database_has_forgotten_is_told_from_one_that_others_made(
    world: World, backed_up: BackUp, *, by_hand: bool
) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    restore = backed_up()
    if by_hand:
        refund_by_hand(world, order.id, 119_00)
    else:
        refund(world, order.id)
    restore()
    [made] = world.books(ada)["refunds"]
    [named] = [each.what for each in reconciled(world).differences if made["id"] in each.what]
    assert named == f"refund {made['id']} (made {'elsewhere' if by_hand else 'by Prorata'})"
    where, given = f"order {order.number}", "succeeded: 11900 EUR"
    assert differences(world, ada) == [(where, "refund", given, "nothing")]
    world.notify(world.charge_ref(order.id), "charge.refunded")
    noted = "noted as made elsewhere" if by_hand else "noted as not known"
    assert differences(world, ada) == [(where, "refund", given, noted)]


def test_a_charge_of_an_order_that_is_not_here_is_named_with_what_went_back_until_all_is_back(
    world: World, backed_up: BackUp
) -> None:
    ada = world.customer(card="pm_card_refundFail")
    restore = backed_up()
    order_id = world.buy(ada, purchase()).id
    charge = world.charge_ref(order_id)
    restore()
    where = f"order {order_id}, which is not here"
    assert differences(world, ada) == [(where, "charge", "succeeded: 11900 EUR", "nothing")]
    for part in (18_00, 1_00):
        world.stripe.client().v1.refunds.create({"payment_intent": charge, "amount": part})
    part_is_back = [(where, "charge", "succeeded: 11900 EUR, of which 1900 went back", "nothing")]
    assert differences(world, ada) == part_is_back
    world.stripe.client().v1.refunds.create({"payment_intent": charge, "amount": 100_00})
    assert differences(world, ada) == []
    assert world.stripe.banks_settle(lambda: set(world.refunds_at_provider(charge)) == {"failed"})
    assert differences(world, ada) == [(where, "charge", "succeeded: 11900 EUR", "nothing")]


def test_a_second_charge_of_one_attempt_is_named(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    charged_again(world, ada, order_id=str(order.id), attempt="1")
    assert differences(world, ada) == [(f"order {order.number}", "charge", "succeeded: 5000 EUR", "nothing")]


def test_money_on_an_attempt_that_was_given_up_is_named_until_it_went_back(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    execute(world, "update charge_attempts set status = 'void' where order_id = :id", id=order.id)
    assert differences(world, ada) == [
        (f"order {order.number}", "charge", "succeeded: 11900 EUR", "void: 11900 EUR"),
    ]
    world.receive(world.charge_ref(order.id), "payment_intent.succeeded")
    webhooks.handle_webhooks()
    assert world.given_back(ada) == [119_00]
    assert differences(world, ada) == []


@pytest.mark.parametrize(("other", "told"), [("amount_minor = 11899", "11899 EUR"), ("currency = 'USD'", "11900 USD")])
def test_another_sum_is_named(world: World, other: str, told: str) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    execute(world, f"update charge_attempts set {other} where order_id = :id", id=order.id)
    assert differences(world, ada) == [
        (f"order {order.number}", "charge", "succeeded: 11900 EUR", f"succeeded: {told}"),
    ]


def test_another_sum_of_a_refund_is_named(world: World) -> None:
    ada, order_id = refundable(world)
    world.run(order_id)
    execute(world, "update refund_attempts set amount_minor = 11899 where order_id = :id", id=order_id)
    assert differences(world, ada) == [
        (f"order {world.order(order_id).number}", "refund", "succeeded: 11900 EUR", "succeeded: 11899 EUR"),
    ]


def test_a_refund_that_is_pending_counts_as_made(world: World) -> None:
    ada, order_id = refundable(world, "pm_card_pendingRefund")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert differences(world, ada) == []
    refund_by_hand(world, other := world.buy(ada, purchase()).id, 20_00)
    assert differences(world, ada) == [(f"order {world.order(other).number}", "refund", "pending: 2000 EUR", "nothing")]


def test_what_is_written_as_taken_and_was_not_is_named(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    other = f"pi_{uuid4().hex}"
    execute(world, "update charge_attempts set ref = :ref where order_id = :id", ref=other, id=order.id)
    assert differences(world, ada, also=other) == [
        (f"order {order.number}", "charge", "nothing", "succeeded: 11900 EUR"),
        (f"order {order.number}", "charge", "succeeded: 11900 EUR", "nothing"),
    ]


def test_a_refund_by_hand_is_named_and_whether_we_were_told_of_it(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    refund_by_hand(world, order.id, 20_00)
    where, given = f"order {order.number}", "succeeded: 2000 EUR"
    assert differences(world, ada) == [(where, "refund", given, "nothing")]
    world.receive(world.charge_ref(order.id), "charge.refunded")
    webhooks.handle_webhooks()
    assert differences(world, ada) == [(where, "refund", given, "noted as made elsewhere")]


def test_refunds_by_hand_that_together_give_all_back_are_each_named_and_ours_that_is_made_of_them_is_not(
    world: World,
) -> None:
    ada, order_id = refundable(world)
    for part in (19_00, 100_00):
        refund_by_hand(world, order_id, part)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    where = f"order {world.order(order_id).number}"
    assert differences(world, ada, also=f"order:{order_id}:refund:1") == [
        (where, "refund", "succeeded: 10000 EUR", "noted as made elsewhere"),
        (where, "refund", "succeeded: 1900 EUR", "noted as made elsewhere"),
    ]
    execute(world, "update refund_attempts set amount_minor = 11901 where order_id = :id", id=order_id)
    named = differences(world, also=f"order:{order_id}:refund:1")
    assert named == [(where, "refund", "nothing", "succeeded: 11901 EUR")]


def test_a_refund_that_is_written_and_was_not_made_is_named(world: World) -> None:
    ada, order_id = refundable(world)
    world.run(order_id)
    number, other = world.order(order_id).number, f"re_{uuid4().hex}"
    execute(world, "update refund_attempts set ref = :ref where order_id = :id", ref=other, id=order_id)
    amount = world.rows(RefundAttempt, order_id=order_id)[0].amount_minor
    assert differences(world, ada, also=other) == [
        (f"order {number}", "refund", "nothing", f"succeeded: {amount} EUR"),
        (f"order {number}", "refund", f"succeeded: {amount} EUR", "nothing"),
    ]


@pytest.mark.parametrize(("later", "is_named"), [(timedelta(minutes=1), True), (timedelta(days=36), False)])
def test_a_refund_that_failed_long_after_it_was_made_is_named_until_that_is_noted(
    world: World, later: timedelta, *, is_named: bool
) -> None:
    order_id, _ = refund_that_fails(world)
    [refund] = world.rows(RefundAttempt, order_id=order_id)
    since = datetime.now(UTC) + later

    def named() -> list[tuple[str, str, str]]:
        found = reconcile(since, since + timedelta(hours=1)).differences
        return [(each.where, each.expected, each.found) for each in found if str(refund.ref) in each.what]

    failed = f"failed: {refund.amount_minor} EUR", f"succeeded: {refund.amount_minor} EUR"
    assert named() == [(f"order {world.order(order_id).number}", *failed)] * is_named
    refund_notes.note_now(order_id)
    assert named() == []


def test_a_refund_by_hand_that_was_noted_and_has_failed_unheard_is_named_until_that_is_noted(world: World) -> None:
    ada = world.customer(card="pm_card_refundFail")
    order = world.buy(ada, purchase())
    refund_by_hand(world, order.id, 20_00)
    charge = world.charge_ref(order.id)
    world.notify(charge, "charge.refunded")
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])
    named = [(f"order {order.number}", "refund", "failed: 2000 EUR", "noted as made elsewhere")]
    assert differences(world, ada) == named
    refund_notes.note_now(order.id)
    assert differences(world, ada) == []


def test_charges_of_others_at_the_same_provider_are_counted_and_left_out(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    before = reconciled(world).of_others
    charged_again(world, ada, shop="another")
    assert reconciled(world).of_others == before + 1
    assert differences(world, ada) == []


def test_what_others_charge_in_a_way_that_nobody_here_can_read_is_left_out(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    before = reconciled(world).of_others
    theirs = charged_again(world, ada, shop="another")
    refund = world.stripe.client().v1.refunds.create({"payment_intent": theirs, "amount": 1_00})
    for made in (theirs, refund.id):
        world.stripe.control("change", id=made, values={"status": "in_limbo"})
    assert reconciled(world).of_others == before + 1
    assert differences(world, ada) == []
    found = world.wiring.payments.find_charges(
        customer_ref=customer_of(world, ada), order_id=order.id, since=order.created_at
    )
    assert [charge.ref for charge in found] == [world.charge_ref(order.id)]


def test_what_looks_like_ours_but_has_no_attempt_of_ours_ends_no_check(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    before = reconciled(world).of_others
    charged_again(world, ada, order_id=str(uuid4()), attempt="20261129101500123")
    assert reconciled(world).of_others == before + 1


def test_a_charge_and_a_refund_of_ours_that_cannot_be_read_are_named(world: World) -> None:
    ada, order_id = refundable(world)
    world.run(order_id)
    [refund] = world.rows(RefundAttempt, order_id=order_id)
    for made in (world.charge_ref(order_id), refund.ref):
        world.stripe.control("change", id=made, values={"status": "in_limbo"})
    where, told = f"order {world.order(order_id).number}", "in_limbo, which this release cannot read"
    assert differences(world, ada) == [
        (where, "charge", told, "succeeded: 11900 EUR"),
        (where, "refund", told, "succeeded: 11900 EUR"),
    ]


class AllListed(Container[str]):
    """Every charge and refund is listed by the provider. Notes which of the reader's statements brought the row that is looked for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.brought: list[tuple[datetime, str]] = []

    def __contains__(self, _: object) -> bool:
        reading = text(
            "select query_start, query from pg_stat_activity"
            " where datname = current_database() and state = 'idle in transaction' and pid <> pg_backend_pid()"
        )
        with self._world.begin() as session:
            [(at, query)] = session.execute(reading)
        self.brought.append((at, query.partition(" ")[0]))
        return True


@pytest.mark.parametrize("check_missing", [check_missing_charges, check_missing_refunds])
def test_what_is_recorded_is_read_in_parts_so_that_no_range_needs_much_memory_or_stands_still(
    world: World, monkeypatch: pytest.MonkeyPatch, check_missing: Callable[..., Any]
) -> None:
    monkeypatch.setattr(unseen, "BATCH", 2)
    for _ in range(3):
        _, order_id = refundable(world)
        world.run(order_id)
    listed = AllListed(world)
    since, until = world.time - timedelta(minutes=1), world.time + timedelta(hours=1)
    assert list(check_missing(since, until, listed, lambda _: None)) == []
    parts = [list(part) for _, part in groupby(listed.brought)]
    assert [(len(part), part[0][1]) for part in parts] == [(2, "FETCH"), (1, "FETCH")]


def test_the_attempts_of_a_page_of_charges_are_read_by_one_statement(world: World) -> None:
    bought = [world.buy(world.customer(), purchase()).id for _ in range(3)]
    charges = [
        Charge(world.charge_ref(id_), ChargeStatus.SUCCEEDED, 119_00, "EUR", order_id=id_, attempt=1) for id_ in bought
    ]
    read: list[str] = []
    with world.begin() as session:
        event.listen(session.connection(), "before_cursor_execute", lambda *told: read.append(told[2]))
        assert list(check_charges(session, charges)) == []
    assert sum("FROM charge_attempts" in statement for statement in read) == 1


def test_what_is_looked_up_one_by_one_is_told(world: World) -> None:
    for _ in range(2):
        _, order_id = refundable(world)
        world.run(order_id)
        world.buy(world.customer(), purchase())
    another = "ref = 'another_' || order_id"
    execute(world, f"update refund_attempts set {another}")
    unrefunded = "order_id not in (select order_id from refund_attempts)"
    execute(world, f"update charge_attempts set {another} where {unrefunded}")
    said: list[str] = []
    reconcile(world.time - timedelta(minutes=1), world.time + timedelta(hours=1), say=said.append)
    looked_up = [line for line in said if line.startswith("looking up ")]
    assert looked_up == [
        "looking up charge 1 of 2 that were not listed",
        "looking up charge 2 of 2 that were not listed",
        "looking up refund 1 of 2 that were not listed",
        "looking up refund 2 of 2 that were not listed",
    ]


def test_a_refund_of_a_charge_that_stripe_does_not_know_is_named_with_the_charge(world: World) -> None:
    """As with the key of another Stripe account."""
    ada, order_id = refundable(world)
    world.run(order_id)
    assert differences(world, ada) == []
    for table in ("refund_attempts", "charge_attempts"):
        execute(world, f"update {table} set ref = 'another_' || ref")
    found = reconcile(world.time - timedelta(minutes=1), world.time + timedelta(hours=1), say=lambda _: None)
    missing = [(each.what.split()[0], each.found) for each in found.differences if each.expected == "nothing"]
    assert missing == [("charge", "succeeded: 11900 EUR"), ("refund", "succeeded: 11900 EUR")]


def test_any_number_of_orders_is_looked_up_at_once(world: World) -> None:
    """A statement may have 65,535 parameters."""
    order = world.buy(world.customer(), purchase())
    with world.begin() as session:
        known = numbers(session, [order.id, None, *(uuid4() for _ in range(65_535))])
    assert known == {order.id: order.number}


def test_only_what_was_made_in_that_time_counts(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    found = reconcile(world.time + timedelta(hours=1), world.time + timedelta(hours=2))
    assert (found.charges, found.refunds, found.differences) == (0, 0, [])


def test_every_page_is_read_and_tried_again_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_pages, "PAGE", 2)
    world.be_patient()
    before = reconciled(world).charges
    for _ in range(5):
        world.buy(world.customer(), purchase())
    away = world.stripe.fail("unavailable", "payment_intents.list", times=1)
    pages = world.stripe.fail("hang", "payment_intents.list", seconds=0)
    assert reconciled(world).charges == before + 5
    assert (world.stripe.seen(away), world.stripe.seen(pages) >= 3) == (1, True)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setattr(ledger, "plug_in_from_settings", lambda: None)
    monkeypatch.setattr(ledger, "UNDER_WAY", timedelta(seconds=-5))
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner()


INCOMPLETE = r"Incomplete: compared were \d+ charges, 0 refunds of them and 0 disputes; there may be more\."


def test_what_was_found_before_the_provider_failed_is_told_where_no_program_takes_it_for_all(
    world: World, command: CliRunner
) -> None:
    order = world.buy(world.customer(), purchase())
    execute(world, "update charge_attempts set amount_minor = 11899 where order_id = :id", id=order.id)
    world.stripe.fail("unavailable", "refunds.list")
    ended = command.invoke(ledger.ledger, ["reconcile", "--json"])
    assert (ended.stdout, type(ended.exception)) == ("", TemporarilyUnavailable)
    assert re.search(rf"charge +order {order.number} +charge {world.charge_ref(order.id)} ", ended.stderr)
    assert re.fullmatch(INCOMPLETE, ended.stderr.splitlines()[-1])
    assert world.rows(BooksCheck) == []


def test_what_was_found_before_an_interruption_is_told_where_no_program_takes_it_for_all(
    world: World, world_database_url: str
) -> None:
    order = world.buy(world.customer(), purchase())
    execute(world, "update charge_attempts set amount_minor = 11899 where order_id = :id", id=order.id)
    stripe = {"PRORATA_STRIPE_API_BASE": world.stripe.url, "PRORATA_STRIPE_API_KEY": API_KEY}
    since, until = (f"{world.time + away:%Y-%m-%dT%H:%M:%SZ}" for away in (timedelta(minutes=-1), timedelta(hours=1)))
    reconciling = subprocess.Popen(
        interruptible("ledger", "reconcile", "--since", since, "--until", until),
        env=os.environ | SETTINGS | stripe | {"PRORATA_DATABASE_URL": world_database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with ThreadPoolExecutor() as pool, world.begin() as session:
        session.execute(text("lock table refund_attempts"))
        ended = pool.submit(reconciling.communicate)
        until_it_waits_for(session, ended)
        reconciling.send_signal(signal.SIGINT)
        out, err = ended.result()
    assert (reconciling.returncode, out) == (130, "")
    assert re.search(rf"charge +order {order.number} +charge {world.charge_ref(order.id)} ", err)
    *_, incomplete, last = err.splitlines()
    assert re.fullmatch(INCOMPLETE, incomplete)
    assert last == "Interrupted."


def test_where_nothing_was_compared_nothing_is_said_of_it(world: World, command: CliRunner) -> None:
    world.stripe.fail("unavailable", "payment_intents.list")
    ended = command.invoke(ledger.ledger, ["reconcile"])
    assert (ended.output, type(ended.exception)) == ("", TemporarilyUnavailable)


def test_the_command_tells_people_and_programs_and_fails(world: World, command: CliRunner) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    execute(world, "update charge_attempts set amount_minor = 11899 where order_id = :id", id=order.id)
    said = command.invoke(ledger.ledger, ["reconcile"])
    assert said.exit_code == 1
    assert f"order {order.number}" in said.stdout
    assert "Anything more recent is left out, as it may not be recorded yet: see --until.\n" in said.stdout
    [found] = world.rows(BooksCheck, name="reconcile")
    assert found.differences >= 1
    read = command.invoke(ledger.ledger, ["reconcile", "--json"])
    assert read.exit_code == 1
    told = json.loads(read.stdout)
    assert {
        "check": "charge",
        "where": f"order {order.number}",
        "what": f"charge {world.charge_ref(order.id)}",
        "expected": "succeeded: 11900 EUR",
        "found": "succeeded: 11899 EUR",
        "waits": False,
    } in told["differences"]
    assert datetime.fromisoformat(told["until"]) - datetime.fromisoformat(told["since"]) == timedelta(days=2)


def test_the_command_says_well_where_nothing_differs(command: CliRunner) -> None:
    said = command.invoke(ledger.ledger, ["reconcile", "--since", "2020-01-01", "--until", "2020-01-01T06:30:00Z"])
    assert said.exit_code == 0
    assert said.stdout == (
        "From 2020-01-01 00:00:00 to 2020-01-01 06:30:00 UTC: 0 charges, 0 refunds of them, 0 disputes.\nEverything agrees.\n"
    )


def test_on_a_system_as_young_as_what_is_left_out_the_command_says_how_to_include_that(
    world: World, command: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "UNDER_WAY", timedelta(days=1000))  # so long ago that nobody was charged then
    said = command.invoke(ledger.ledger, ["reconcile"]).stdout
    [until] = re.findall(r"recorded yet: include it with --until (\S+Z)\.\n", said)
    assert datetime.now(UTC) - timedelta(minutes=5) < datetime.fromisoformat(until) <= datetime.now(UTC)


@pytest.mark.parametrize(
    "words",
    [
        ["--since", "2020-01-02", "--until", "2020-01-02"],
        ["--since", "yesterday"],
        ["--until", "0001-01-01"],
        ["--until", "2999-01-01"],
        ["--since", "2999-01-01", "--until", "2999-01-02"],
    ],
)
def test_a_time_that_makes_no_sense_is_refused(command: CliRunner, words: list[str]) -> None:
    said = command.invoke(ledger.ledger, ["reconcile", *words])
    assert said.exit_code == 2
    assert words[0] in said.stderr


@pytest.mark.parametrize("elsewhere", [0, 19_00])
def test_an_unexpected_charge_that_its_bank_took_back_is_named_until_that_is_noted(
    world: World, elsewhere: int
) -> None:
    ada = world.customer()

    def of_charges() -> list[str]:
        return [found for _, kind, _, found in differences(world, ada) if kind == "charge"]

    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    if elsewhere:
        world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": elsewhere})
    world.stripe.control("dispute", payment_intent=late, status="needs_response", amount=119_00 - elsewhere)
    assert of_charges() == ["void: 11900 EUR"]
    world.notify(late, "charge.refunded")
    assert of_charges() == []
    world.stripe.control("dispute", payment_intent=late, status="lost")
    world.notify(late, "charge.dispute.closed")
    assert of_charges() == []


def test_an_unexpected_charge_of_which_its_bank_took_a_part_back_is_named(world: World) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    world.stripe.control("dispute", payment_intent=late, status="lost", amount=19_00)
    world.notify(late, "charge.dispute.closed")
    where = f"order {world.order(order_id).number}"
    assert differences(world, ada) == [(where, "charge", "succeeded: 11900 EUR", "void: 11900 EUR")]
