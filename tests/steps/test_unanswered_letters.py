"""A letter that the mail server takes without an answer may have arrived: it is not sent again and again."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from models.messages import SentLetter
from models.states import LetterKind, OrderStatus, Step
from models.vat_follow_ups import VatFollowUp
from tasks.errors import Misconfigured
from tasks.operating import letters_again, order_story, resumption
from tasks.vat import vat_follow_up
from tests.support.places import at
from tests.support.world import Customer, World, purchase

NUMBER = "FR40303265045"


def resume(world: World, order_id: UUID) -> None:
    with world.begin() as session:
        planned = resumption.plan_resumption(order_story.tell(session, order_id))
        resumption.resume(session, order_id, planned, by="ops")


def test_a_letter_without_an_answer_is_sent_three_times_and_then_a_person_decides(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.mailbox.fail("drop_after_data", recipient=ada.email)
    with pytest.raises(Misconfigured, match="it may have arrived each time"):
        world.go_on(order_id, times=10)
    assert len(world.mails(ada)) == 3
    order = world.order(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.SEND_CONFIRMATION_EMAIL)
    assert f"`prorata orders resume {order.number}` sends it once more" in (order.last_error or "")
    assert world.timeline(order_id).count("letter.unanswered") == 3


def test_resumed_it_is_sent_once_more(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.mailbox.fail("drop_after_data", recipient=ada.email)
    for copies in (3, 4, 5):
        with pytest.raises(Misconfigured):
            world.go_on(order_id, times=10)
        assert len(world.mails(ada)) == copies
        resume(world, order_id)
    world.mailbox.heal()
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert len(world.mails(ada)) == 7
    assert world.letters(order_id) == ["confirmation", "seat_prompt"]


def test_two_lost_answers_to_each_letter_hold_no_order_up(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())

    def lose_two() -> None:
        world.mailbox.fail("drop_after_data", recipient=ada.email, times=2)

    lose_two()
    with at("prompt_seat_assignment.claimed", lose_two):
        assert world.go_on(order_id, times=6).status is OrderStatus.COMPLETED
    told = [facts["kind"] for facts in world.noted(order_id, "letter.unanswered")]
    assert told == ["confirmation", "confirmation", "seat_prompt", "seat_prompt"]


def test_it_keeps_its_message_id_though_our_domain_has_changed(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.mailbox.fail("drop_after_data", recipient=ada.email, times=1)
    world.run(order_id)
    world.policy(seller=replace(world.wiring.policy.seller, mail_domain="billing.example"))
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    came = [mail["MessageID"] for mail in world.mailbox.listed(f"to:{ada.email}")]
    assert sorted(came) == sorted(
        [
            f"order-{order_id}.confirmation@prorata.example",
            f"order-{order_id}.confirmation@prorata.example",
            f"order-{order_id}.seat_prompt@billing.example",
        ]
    )
    assert {letter.message_id.strip("<>") for letter in world.rows(SentLetter)} == set(came)


@pytest.fixture
def owed_vat(world: World) -> tuple[Customer, UUID]:
    """An order bought on trust, whose VAT number turns out invalid at the next question."""
    ada = world.customer(country="FR", vat_number=NUMBER)
    world.vies.register(NUMBER, status="valid")
    world.vies.fail("MS_UNAVAILABLE")
    order_id = world.buy(ada, purchase()).id
    world.vies.forget()
    world.vies.register(NUMBER, status="invalid")
    world.pass_time(minutes=6)
    return ada, order_id


def test_the_letter_about_vat_is_left_alone_for_longer_than_a_mail_server_may_take(
    world: World, owed_vat: tuple[Customer, UUID]
) -> None:
    ada, order_id = owed_vat
    world.mailbox.fail("drop_after_data", recipient=ada.email, times=1)
    vat_follow_up.vat_follow_up()
    with world.begin() as session:
        next_at = session.scalars(select(VatFollowUp.next_at).where(VatFollowUp.order_id == order_id)).one()
    assert next_at - world.time >= timedelta(minutes=20)


def test_the_letter_about_vat_is_given_up_after_three_tries_without_an_answer(
    world: World, owed_vat: tuple[Customer, UUID]
) -> None:
    ada, order_id = owed_vat
    before = len(world.mails(ada))
    world.mailbox.fail("drop_after_data", recipient=ada.email)
    for _ in range(6):
        vat_follow_up.vat_follow_up()
        world.pass_time(days=2)
    assert len(world.mails(ada)) == before + 3
    assert world.rows(VatFollowUp, order_id=order_id)[0].letter_owed is False
    world.mailbox.heal()
    assert letters_again.send_again(order_id, None, by="ops", why=None) is LetterKind.VAT_CORRECTION
    assert len(world.mails(ada)) == before + 4
    assert world.order(order_id).status is OrderStatus.COMPLETED
