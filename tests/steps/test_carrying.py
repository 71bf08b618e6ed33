"""Steps that follow each other in one process share a transaction, up to whatever is asked of the outside."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from celery.events.state import State
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models import lease, recording
from models.ending import Ending
from models.invoices import Invoice
from models.messages import SentLetter
from models.orders import Order
from models.states import FORWARD, LetterKind, LetterStatus, OrderStatus, Step
from tasks import failure_points, wiring
from tasks.operating import resumption
from tests.support.in_one_process import Events, Messages, delivered, everything_stays_here, told, told_of
from tests.support.places import at
from tests.support.world import MONTH, World, change, purchase, trial


def transactions(world: World, during: Callable[[], object]) -> int:
    """How often this thread took a connection for one, whoever committed it: the session, or PostgreSQL by itself.

    Not the thread that renews leases: it does so if the machine is slow.
    """
    seen: Counter[int] = Counter()
    engine: Engine = world.transactions.engine

    def taken(*_: object) -> None:
        seen[threading.get_ident()] += 1

    event.listen(engine, "checkout", taken)
    during()
    event.remove(engine, "checkout", taken)
    return seen[threading.get_ident()]


def test_an_order_is_five_transactions(world: World, events: Events) -> None:
    """Up to the charge, up to the first letter, its mark, up to the second, and that one's mark with the end."""
    order_id = world.place(world.customer(), purchase())
    assert transactions(world, lambda: delivered(order_id, Step.VALIDATE_CART)) == 5
    assert world.order(order_id).status is OrderStatus.COMPLETED


def test_steps_share_a_transaction_also_with_the_one_after_which_the_order_goes_elsewhere(
    world: World, events: Events, messages: Messages
) -> None:
    everything_stays_here(events, but=frozenset({Step.COLLECT_PAYMENT}))
    order_id = world.place(world.customer(), purchase())
    assert transactions(world, lambda: delivered(order_id, Step.VALIDATE_CART)) == 1
    assert messages.take() == [("collect_payment", 0)]


def test_users_who_kept_their_seats_are_counted_where_all_is_done_in_one_process(world: World, events: Events) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk", "team", 2))
    world.assign(ada, "desk", "mia@x.example", "leo@x.example")
    world.pass_time(days=14)
    order_id = world.place(ada, purchase("desk", "team", 2))
    delivered(order_id, Step.VALIDATE_CART)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert world.letters(order_id) == ["confirmation"]


def test_users_of_one_product_are_counted_although_another_of_the_same_order_is_new(
    world: World, events: Events
) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", seats=2))
    world.assign(ada, "desk", "mia@x.example", "leo@x.example")
    order_id = world.place(ada, change("desk", seats=3), purchase("wiki", seats=1))
    delivered(order_id, Step.VALIDATE_CART)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert world.mails(ada)[-1] == "2 seats are ready to be assigned"


def test_an_order_that_is_charged_after_all_does_not_ask_for_a_transfer_too(world: World, events: Events) -> None:
    """It was to be invoiced, a card was given while it was parked, and an operator resumed it at its payment."""
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, vat_number="DE136695976")
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.park(order_id)
    world.give_card(ada)
    with world.begin() as session:
        stands_at, first = Step.ACTIVATE_SUBSCRIPTION, Step.COLLECT_PAYMENT
        resumption.resume(session, order_id, resumption.Resumption(stands_at, first), by="ops")
    delivered(order_id, Step.COLLECT_PAYMENT)
    order, [document] = world.order(order_id), world.rows(Invoice, order_id=order_id)
    assert (order.status, order.payment_kind, world.charged(ada)) == (OrderStatus.COMPLETED, "card", [119_00])
    assert (order.payment_due_at, document.payment_due_at) == (None, None)


@pytest.mark.parametrize("already_at", FORWARD)
def test_a_claim_in_vain_finds_nothing_carried_that_it_would_roll_back(
    world: World, events: Events, monkeypatch: pytest.MonkeyPatch, already_at: Step
) -> None:
    """Each step up to where the order stands is claimed, in a transaction of its own; after that it is handed over, and not claimed."""
    claimed: list[tuple[Step, bool]] = []
    claim = lease.claim

    def watched(session: Session, order_id: UUID, step: Step, **named: Any) -> Order | None:
        claimed.append((step, session.in_transaction()))
        return claim(session, order_id, step, **named)

    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=already_at)
    monkeypatch.setattr(lease, "claim", watched)
    delivered(order_id, Step.VALIDATE_CART)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert claimed == [(step, False) for step in FORWARD[: FORWARD.index(already_at) + 1]]


def flushes(world: World, during: Callable[[], object]) -> list[str]:
    """PostgreSQL's `synchronous_commit` at the end of each transaction of this thread. It begins as on, though these tests' server has it off."""
    seen: list[str] = []
    ours = threading.get_ident()
    engine: Engine = world.transactions.engine

    def on(connection: Connection) -> None:
        connection.exec_driver_sql("set local synchronous_commit to on")

    def look(connection: Connection) -> None:
        if threading.get_ident() == ours:
            seen.append(str(connection.exec_driver_sql("show synchronous_commit").scalar_one()))

    event.listen(engine, "begin", on)
    event.listen(engine, "commit", look)
    during()
    event.remove(engine, "begin", on)
    event.remove(engine, "commit", look)
    return seen


def test_steps_that_share_a_transaction_are_on_disk_before_anything_is_asked_of_the_outside(
    world: World, events: Events
) -> None:
    order_id = world.place(world.customer(), purchase())
    assert set(flushes(world, lambda: delivered(order_id, Step.VALIDATE_CART))) == {"on"}
    assert world.order(order_id).status is OrderStatus.COMPLETED


def test_the_end_of_a_step_by_itself_need_not_wait_for_the_disk_but_a_charges_key_must(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    assert flushes(world, lambda: world.deliver(order_id, Step.COLLECT_PAYMENT)) == ["on", "on", "off"]


def test_the_end_of_the_last_letter_and_of_its_order_must_wait_for_the_disk(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.PROMPT_SEAT_ASSIGNMENT)
    with world.begin() as session:
        order = lease.claim(session, order_id, Step.PROMPT_SEAT_ASSIGNMENT, lease=timedelta(minutes=5))
        assert order is not None
        session.execute(text("set local synchronous_commit to on"))
        recording.stop(session, order, Ending(OrderStatus.COMPLETED), letter=LetterKind.SEAT_PROMPT)
        assert session.scalar(text("show synchronous_commit")) == "on"


@dataclass
class Watched:
    """A part of the world outside, and how many connections this thread has when it is asked."""

    part: Any
    has: Counter[int]
    seen: list[int]

    def __getattr__(self, name: str) -> Any:
        if name in ("charge", "send", "check"):
            self.seen.append(self.has[threading.get_ident()])
        return getattr(self.part, name)


def test_no_transaction_is_open_while_the_outside_is_asked(world: World, events: Events) -> None:
    seen: list[int] = []
    has: Counter[int] = Counter()
    engine = world.transactions.engine
    event.listen(engine, "checkout", lambda *_: has.update([threading.get_ident()]))
    event.listen(engine, "checkin", lambda *_: has.subtract([threading.get_ident()]))
    parts = world.wiring
    wiring.plug_in(
        replace(
            parts,
            payments=Watched(parts.payments, has, seen),
            vat_registry=Watched(parts.vat_registry, has, seen),
            mailer=Watched(parts.mailer, has, seen),
        )
    )
    ada = world.customer(country="FR", vat_number="FR40303265045")
    order_id = world.place(ada, purchase())
    delivered(order_id, Step.VALIDATE_CART)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert seen == [0, 0, 0, 0]  # the registry, the charge, two letters


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError("a mistake of ours")


def test_an_error_takes_the_steps_before_it_along_and_they_are_done_again_by_themselves(
    world: World, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.compute_proration.recompute", broken)
    order_id = world.place(world.customer(), purchase())
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    order = world.order(order_id)
    assert (order.next_step, order.lease_token) == (Step.COMPUTE_PRORATION, None)
    assert "a mistake of ours" in (order.last_error or "")
    assert world.timeline(order_id).count("validate_cart.done") == 1
    assert (told(events, "task-retried"), told(events, "task-failed")) == (["compute_proration"], ["compute_proration"])
    seen = [fields["traceback"] for event, fields in events if event in ("task-retried", "task-failed")]
    assert ["ZeroDivisionError: a mistake of ours" in each for each in seen] == [True] * 3


def test_a_delivered_step_that_was_shown_as_done_and_is_done_again_is_shown_so(world: World, events: Events) -> None:
    order_id = world.place(world.customer(), purchase())
    with at("compute_proration.claimed", broken):
        assert delivered(order_id, Step.VALIDATE_CART, task_id="delivery") == "done"
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert told_of("delivery", events) == ["task-succeeded", "task-retried", "task-succeeded"]
    assert told(events, "task-succeeded") == [step.value for step in FORWARD[1:]]


def test_a_delivered_step_that_was_shown_as_done_and_then_fails_is_red(world: World, events: Events) -> None:
    def twice(place: str, _: object) -> None:
        if place == "compute_proration.claimed":
            failure_points.arm(again)
            broken()

    def again(place: str, _: object) -> None:
        if place == "validate_cart.claimed":
            broken()

    failure_points.arm(twice)
    order_id = world.place(world.customer(), purchase())
    with pytest.raises(ZeroDivisionError):
        delivered(order_id, Step.VALIDATE_CART, task_id="delivery")
    flower = State()
    kinds = ["task-received", "task-started", *told_of("delivery", events), "task-failed"]
    for second, kind in enumerate(kinds):
        times = {"timestamp": second, "local_received": second, "clock": second}
        flower.event({"type": kind, "uuid": "delivery", "hostname": "worker", **times})
    assert kinds[2:4] == ["task-succeeded", "task-retried"]
    assert flower.tasks["delivery"].state == "FAILURE"


def test_a_delivered_step_that_stays_done_is_shown_once(world: World, events: Events) -> None:
    """The error undoes a later one."""
    order_id = world.place(world.customer(), purchase())
    with at("activate_subscription.claimed", broken):
        delivered(order_id, Step.VALIDATE_CART, task_id="delivery")
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert told(events, "task-retried") == ["activate_subscription"]
    assert told_of("delivery", events) == ["task-succeeded"]


def test_a_cancellation_between_steps_that_are_done_again_cancels_an_order_whose_amount_has_changed(
    world: World, events: Events
) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.reprice("desk", "team", MONTH, 12_00)

    def undo(place: str, _: object) -> None:
        if place == "compute_proration.claimed":
            failure_points.arm(cancel)
            broken()

    def cancel(place: str, _: object) -> None:
        """The first step, done again, is committed; the second has not begun its transaction."""
        if place == "compute_proration.delivered":
            failure_points.arm(None)
            assert world.cancel(order_id) is OrderStatus.OPEN

    failure_points.arm(undo)
    delivered(order_id, Step.VALIDATE_CART)
    assert "order.cancel_requested" in world.timeline(order_id)
    order = world.order(order_id)
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, "cancelled-by-customer")


def test_a_charge_stays_taken_where_what_follows_fails(
    world: World, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.billing.invoicing.issue", broken)
    ada = world.customer()
    order_id = world.place(ada, purchase())
    delivered(order_id, Step.VALIDATE_CART)
    assert world.order(order_id).next_step is Step.ACTIVATE_SUBSCRIPTION
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])


def test_a_letter_that_is_out_stays_out_where_what_follows_fails(
    world: World, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.mail.still_true.seats_to_assign", broken)
    ada = world.customer()
    order_id = world.place(ada, purchase())
    delivered(order_id, Step.VALIDATE_CART)
    assert world.order(order_id).next_step is Step.PROMPT_SEAT_ASSIGNMENT
    assert [row.status for row in world.rows(SentLetter, order_id=order_id)] == [LetterStatus.SENT]
    monkeypatch.undo()
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (world.letters(order_id), len(world.mails(ada))) == (["confirmation", "seat_prompt"], 2)


def test_a_commit_that_fails_is_taken_as_undone(world: World, events: Events, messages: Messages) -> None:
    """The first commit finds its connection gone; everything before it is done again, on another."""
    engine = world.transactions.engine
    lost: list[object] = []
    ours = threading.get_ident()

    def lose(connection: Any) -> None:
        if threading.get_ident() == ours and not lost:
            lost.append(connection)
            connection.connection.dbapi_connection.close()

    ada = world.customer()
    order_id = world.place(ada, purchase())
    event.listen(engine, "commit", lose)
    delivered(order_id, Step.VALIDATE_CART)
    event.remove(engine, "commit", lose)
    assert lost
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), len(world.mails(ada))) == ([119_00], 2)


def test_a_commit_that_fails_is_never_taken_for_done(world: World) -> None:
    """Outside a delivery, as where an order is placed, nothing does it again: who asked for it must hear of it."""
    with pytest.raises(OperationalError), wiring.begin() as session:
        session.connection().connection.dbapi_connection.close()  # type: ignore[union-attr]
