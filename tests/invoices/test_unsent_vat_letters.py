"""A letter about VAT that the mail server does not take ends, and a person learns of it and can send it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine
from structlog.testing import capture_logs

from models.messages import SentLetter
from models.orders import Order, OrderEvent
from models.states import LetterKind, OrderStatus
from tasks import wiring
from tasks.errors import Misconfigured, NotRecorded
from tasks.mail import at_once, mailing
from tasks.mail.at_once import Places
from tasks.operating import letters_again, order_story, support_refund
from tasks.operating.order_at_hand import NotPossible
from tasks.personal_data import erasure
from tasks.ports import Letter, Mailer
from tasks.vat import due_times, unsent_letters
from tests.support.vat_outage import NUMBER, ask_again, during_outage, follow_up
from tests.support.world import Customer, World
from worker.database import Transactions

DENIED = "the mail server does not send for us: 554 5.7.1"


def owing(world: World, fault: str | None = None) -> tuple[Customer, Order]:
    """A customer whose number turns out invalid at the next question, and whom no letter reaches where there is a fault."""
    eva, order = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    if fault:
        world.mailbox.fail(fault, recipient=eva.email)
    return eva, order


def failures(world: World, order: Order) -> list[dict[str, Any]]:
    return [event.facts for event in world.rows(OrderEvent, order_id=order.id, kind="letter.not_sent")]


def undeliverable(world: World) -> list[Any]:
    with world.begin() as session:
        return [order.id for order, _ in order_story.listing(session, undeliverable=True)]


def send_again(order: Order) -> LetterKind:
    return letters_again.send_again(order.id, LetterKind.VAT_CORRECTION, by="ops", why=None)


class Meanwhile(Mailer):
    """The real one; before each letter something happens."""

    def __init__(self, mailer: Mailer, happens: Callable[[], object]) -> None:
        self.mailer, self.happens = mailer, happens

    def send(self, letter: Letter) -> None:
        self.happens()
        self.mailer.send(letter)


def while_sending(world: World, happens: Callable[[], object]) -> None:
    wiring.plug_in(replace(world.wiring, mailer=Meanwhile(world.wiring.mailer, happens)))


def test_a_vat_letter_that_is_refused_for_us_is_noted_and_logged_at_each_try(world: World) -> None:
    _, order = owing(world, "relay_denied")
    with capture_logs() as told:
        assert ask_again(world) == 1
    assert failures(world, order) == [{"kind": "vat_correction", "tries": 1, "error": DENIED}]
    assert follow_up(world, order).letter_owed
    errors = [line for line in told if line["log_level"] == "error"]
    assert errors == [
        {"event": "vat letter is not sent", "log_level": "error", "order_id": str(order.id), "error": DENIED}
    ]


@pytest.mark.parametrize("fault", ["relay_denied", "greylisted"])
def test_after_eight_tries_it_counts_as_undeliverable_and_a_person_sends_it(world: World, fault: str) -> None:
    eva, order = owing(world, fault)
    before = len(world.mails(eva))
    with capture_logs() as told:
        for _ in range(10):
            ask_again(world, minutes=1500)
    assert [each["tries"] for each in failures(world, order)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert world.timeline(order.id)[-2:] == ["letter.not_sent", "letter.undeliverable"]
    assert (follow_up(world, order).letter_owed, undeliverable(world)) == (False, [order.id])
    assert [line["order_id"] for line in told if line["event"] == "vat letter is given up"] == [str(order.id)]
    world.mailbox.heal()
    send_again(order)
    assert (len(world.mails(eva)), undeliverable(world)) == (before + 1, [])
    assert world.order(order.id).status is OrderStatus.COMPLETED


def test_a_vat_letter_that_is_refused_for_us_holds_up_no_other(world: World) -> None:
    _, first = owing(world, "relay_denied")
    other, second = owing(world)
    assert ask_again(world) == 2
    assert (follow_up(world, first).letter_owed, follow_up(world, second).letter_owed) == (True, False)
    assert world.mails(other)[-1] == f"VAT is due on order {second.number}"


def test_a_vat_letter_that_is_owed_is_sent_by_a_person_once_a_try_has_failed_and_then_by_nobody(world: World) -> None:
    eva, order = owing(world, "relay_denied")
    ask_again(world)
    with pytest.raises(Misconfigured):
        send_again(order)
    assert follow_up(world, order).letter_owed
    world.mailbox.heal()
    before = len(world.mails(eva))
    assert send_again(order) is LetterKind.VAT_CORRECTION
    assert not follow_up(world, order).letter_owed
    assert ask_again(world, minutes=3000) == 0
    assert len(world.mails(eva)) == before + 1


@pytest.mark.parametrize("tries_before", [0, 1])
def test_while_a_try_is_under_way_nobody_else_sends_that_letter(world: World, tries_before: int) -> None:
    eva, order = owing(world, "relay_denied" if tries_before else None)
    for _ in range(tries_before):
        ask_again(world)
    world.mailbox.heal()
    before = len(world.mails(eva))
    refused: list[str] = []

    def a_person_sends_it() -> None:
        with pytest.raises(NotPossible) as said:
            send_again(order)
        refused.append(str(said.value))

    while_sending(world, a_person_sends_it)
    ask_again(world, minutes=30)
    number = order.number
    assert refused == [
        f"the vat_correction of order {number} is just being sent by itself: `prorata orders show {number}` says what comes of it"
    ]
    assert len(world.mails(eva)) == before + 1


def test_while_a_person_has_it_sent_it_is_not_sent_by_itself(world: World) -> None:
    eva, order = owing(world, "relay_denied")
    ask_again(world)
    world.mailbox.heal()
    before = len(world.mails(eva))
    worked_on: list[int] = []
    while_sending(world, lambda: worked_on.append(ask_again(world, minutes=19)))
    world.pass_time(minutes=15)
    send_again(order)
    assert (worked_on, len(world.mails(eva))) == ([0], before + 1)


def test_one_that_a_person_sent_and_that_may_have_arrived_is_not_sent_again_by_itself(world: World) -> None:
    eva, order = owing(world, "relay_denied")
    ask_again(world)
    world.mailbox.heal()
    world.mailbox.fail("drop_after_data", recipient=eva.email)
    with pytest.raises(NotPossible, match="it may have arrived, so ask the customer first"):
        send_again(order)
    came = len(world.mails(eva))
    ask_again(world, minutes=3000)
    assert (follow_up(world, order).letter_owed, len(world.mails(eva))) == (False, came)


def test_a_vat_letter_that_a_person_sent_counts_as_sent(world: World) -> None:
    _, order = owing(world, "relay_denied")
    ask_again(world)
    world.mailbox.heal()
    send_again(order)
    [letter] = world.rows(SentLetter, order_id=order.id, kind=LetterKind.VAT_CORRECTION)
    assert letter.status == "sent"


def test_one_that_a_person_sent_and_of_which_nothing_could_be_noted_is_not_sent_again_by_itself(
    world: World,
) -> None:
    eva, order = owing(world, "relay_denied")
    ask_again(world)
    world.mailbox.heal()
    before = len(world.mails(eva))
    away = Transactions(create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nowhere"))
    while_sending(world, lambda: wiring.plug_in(replace(world.wiring, begin=away)))
    with pytest.raises(NotRecorded, match="The mail server has taken the vat_correction: do not send it again"):
        send_again(order)
    wiring.plug_in(world.wiring)
    assert ask_again(world, minutes=3000) == 0
    assert (len(world.mails(eva)), world.timeline(order.id)[-1]) == (before + 1, "letter.send_again")


def test_one_whose_sender_was_killed_is_not_sent_again_by_itself(world: World) -> None:
    eva, order = owing(world, "relay_denied")
    ask_again(world)
    world.mailbox.heal()
    before = len(world.mails(eva))

    class Killed(BaseException):
        pass

    class TakesItAndDies(Mailer):
        def send(self, letter: Letter) -> None:
            world.wiring.mailer.send(letter)
            raise Killed

    wiring.plug_in(replace(world.wiring, mailer=TakesItAndDies()))
    with pytest.raises(Killed):
        send_again(order)
    wiring.plug_in(world.wiring)
    assert ask_again(world, minutes=3000) == 0
    assert len(world.mails(eva)) == before + 1


def test_one_that_a_person_could_not_send_is_tried_by_itself_again_after_a_while(world: World) -> None:
    eva, order = owing(world, "relay_denied")
    ask_again(world)
    world.pass_time(minutes=14)
    with pytest.raises(Misconfigured):
        send_again(order)
    world.mailbox.heal()
    before = len(world.mails(eva))
    assert [ask_again(world, minutes=minutes) for minutes in (19, 1)] == [0, 1]
    assert (len(world.mails(eva)), follow_up(world, order).letter_owed) == (before + 1, False)


def test_one_that_was_not_owed_is_not_owed_after_a_person_could_not_send_it(world: World) -> None:
    _, order = owing(world)
    ask_again(world)
    world.mailbox.fail("relay_denied")
    with pytest.raises(Misconfigured):
        send_again(order)
    assert not follow_up(world, order).letter_owed


def end_with(error: BaseException) -> Callable[[], object]:
    def end() -> None:
        raise error

    return end


def test_after_a_lost_answer_a_person_may_send_it_at_once(world: World) -> None:
    eva, order = owing(world, "drop_after_data")
    ask_again(world)
    world.mailbox.heal()
    before = len(world.mails(eva))
    send_again(order)
    assert (len(world.mails(eva)), follow_up(world, order).letter_owed) == (before + 1, False)


def test_after_a_worker_was_killed_a_person_may_send_it_twenty_minutes_later(world: World) -> None:
    eva, order = owing(world, "relay_denied")
    for _ in range(4):
        ask_again(world, minutes=300)
    world.mailbox.heal()
    while_sending(world, end_with(SystemExit()))
    with pytest.raises(SystemExit):
        ask_again(world, minutes=721)
    wiring.plug_in(world.wiring)
    world.pass_time(minutes=19)
    with pytest.raises(NotPossible, match="just being sent by itself"):
        send_again(order)
    world.pass_time(minutes=1)
    before = len(world.mails(eva))
    send_again(order)
    assert len(world.mails(eva)) == before + 1


def test_an_error_of_ours_is_noted_as_a_try_and_a_person_may_send_it_at_once(world: World) -> None:
    _, order = owing(world)
    while_sending(world, end_with(ValueError("<eva@example.com>")))
    ask_again(world)
    wiring.plug_in(world.wiring)
    assert failures(world, order) == [{"kind": "vat_correction", "tries": 1, "error": "ValueError"}]
    send_again(order)
    assert not follow_up(world, order).letter_owed


def test_tries_of_which_nothing_was_noted_do_not_count(world: World) -> None:
    eva, order = owing(world)
    while_sending(world, end_with(SystemExit()))
    for _ in range(10):
        with pytest.raises(SystemExit):
            ask_again(world, minutes=1500)
    wiring.plug_in(world.wiring)
    world.mailbox.fail("greylisted", recipient=eva.email)
    ask_again(world, minutes=1500)
    assert ([each["tries"] for each in failures(world, order)], follow_up(world, order).letter_owed) == ([1], True)


def test_a_person_does_not_send_one_that_a_worker_has_just_taken_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    eva, order = owing(world, "relay_denied")
    ask_again(world)
    world.mailbox.heal()
    before = len(world.mails(eva))

    deliver = mailing.deliver

    def deliver_later(letters_of: Order, kinds: Sequence[LetterKind]) -> None:
        with pytest.raises(NotPossible, match="just being sent by itself"):
            send_again(order)
        deliver(letters_of, kinds)

    monkeypatch.setattr(mailing, "deliver", deliver_later)
    ask_again(world, minutes=30)
    assert len(world.mails(eva)) == before + 1


@pytest.mark.parametrize("has_waited_for_a_place", [False, True])
def test_a_letter_is_left_alone_for_as_long_as_the_mail_server_may_take(
    world: World, has_waited_for_a_place: bool
) -> None:
    eva, _ = owing(world)
    before = len(world.mails(eva))
    if has_waited_for_a_place:
        at_once.set_up(Places(0, patience=0))
        ask_again(world)
        at_once.set_up(Places())
    worked_on: list[int] = []

    def another_worker_looks() -> None:
        wiring.plug_in(slow)
        worked_on.append(ask_again(world, minutes=49))

    slow = replace(world.wiring, longest_letter=timedelta(minutes=46))
    wiring.plug_in(replace(slow, mailer=Meanwhile(world.wiring.mailer, another_worker_looks)))
    ask_again(world)
    assert (worked_on, len(world.mails(eva))) == ([0], before + 1)


def test_none_is_owed_of_an_order_that_is_refunded(world: World) -> None:
    eva, order = owing(world, "relay_denied")
    ask_again(world)
    world.mailbox.heal()
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="agreed", now=world.time)
    assert not follow_up(world, order).letter_owed
    assert world.run(order.id).status is OrderStatus.REFUNDED
    assert erasure.erase(eva.email, by="ops", why="asked").erasure_id is not None


def test_one_that_is_refused_for_good_when_a_person_sends_it_is_undeliverable_once(world: World) -> None:
    eva, order = owing(world, "relay_denied")
    ask_again(world)
    world.mailbox.heal()
    world.mailbox.fail("address_refused", recipient=eva.email)
    with pytest.raises(NotPossible, match="the vat_correction is undeliverable"):
        send_again(order)
    assert (follow_up(world, order).letter_owed, undeliverable(world)) == (False, [order.id])
    ask_again(world, minutes=3000)
    assert world.timeline(order.id).count("letter.undeliverable") == 1


def test_one_that_was_sent_stays_so_when_it_is_refused_the_second_time(world: World) -> None:
    eva, order = owing(world)
    ask_again(world)
    world.mailbox.fail("address_refused", recipient=eva.email)
    with pytest.raises(NotPossible, match="the vat_correction is undeliverable"):
        send_again(order)
    assert undeliverable(world) == []


def test_its_eight_tries_take_three_and_a_half_days(world: World) -> None:
    wiring.plug_in(world.wiring)
    between = [due_times.after_letter(tries) for tries in range(1, unsent_letters.TRIES)]
    assert sum(between, timedelta()) == timedelta(days=3, hours=17, minutes=20)


def test_one_that_a_person_could_not_send_of_an_order_refunded_meanwhile_is_not_sent(world: World) -> None:
    eva, order = owing(world, "relay_denied")
    ask_again(world)

    def refund() -> None:
        with world.begin() as session:
            support_refund.refund(session, order.id, by="ops", why="agreed", now=world.time)

    while_sending(world, refund)
    with pytest.raises(Misconfigured):
        send_again(order)
    wiring.plug_in(world.wiring)
    world.mailbox.heal()
    before = len(world.mails(eva))
    assert (ask_again(world, minutes=20), follow_up(world, order).letter_owed) == (1, False)
    assert len(world.mails(eva)) == before
