"""`prorata orders resume --without-letters`: an order whose letter no server takes goes on without it, and can then be refunded."""

import json
from uuid import UUID

import pytest

from models.messages import SentLetter
from models.rules.cart import SubscriptionStatus
from models.states import LetterStatus, OrderStatus, Step
from tasks.errors import Misconfigured
from tasks.operating import outside_refunds, support_refund
from tests.support import books
from tests.support.command import orders_command
from tests.support.disputes import BY_BANK, bought, happens, told_by_whom, turn
from tests.support.world import Customer, World, purchase, trial

pytestmark = pytest.mark.usefixtures("plugged_in")


def refused(world: World, *cart: object) -> tuple[Customer, UUID]:
    """A charged order, parked because the mail server does not take a letter to its contact, and never will."""
    ada = world.customer()
    order_id = world.place(ada, *(cart or (purchase(),)))  # type: ignore[arg-type]
    world.mailbox.fail("relay_denied", recipient=ada.email)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    return ada, order_id


def go_on_without(world: World, order_id: UUID) -> None:
    assert (
        orders_command("resume", order_id, "--without-letters", "--by", "ops", "--why", "no such server").exit_code == 0
    )


def statuses(world: World, order_id: UUID) -> dict[str, str]:
    return {letter.kind.value: letter.status.value for letter in world.rows(SentLetter, order_id=order_id)}


def test_the_order_completes_and_who_gave_the_letter_up_is_kept(world: World) -> None:
    _, order_id = refused(world)
    go_on_without(world, order_id)
    with pytest.raises(Misconfigured):
        world.run(order_id)  # the prompt is tried, too
    assert world.order(order_id).next_step is Step.PROMPT_SEAT_ASSIGNMENT
    go_on_without(world, order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert statuses(world, order_id) == {"confirmation": "undeliverable", "seat_prompt": "undeliverable"}
    told = world.noted(order_id, "letter.undeliverable")
    assert told == [{"kind": kind, "by": "ops", "why": "no such server"} for kind in ("confirmation", "seat_prompt")]
    [listed] = json.loads(orders_command("list", "--undeliverable", "--json").stdout)
    assert listed["id"] == str(order_id)


def test_the_confirmations_other_letter_is_sent_all_the_same(world: World) -> None:
    ada, order_id = refused(world, purchase("desk"), trial("chat"))
    world.mailbox.heal()
    go_on_without(world, order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert statuses(world, order_id) == {
        "confirmation": "undeliverable",
        "trial_welcome": "sent",
        "seat_prompt": "sent",
    }
    assert len(world.mails(ada)) == 2


def test_an_order_that_went_on_without_its_letter_can_be_refunded_and_the_notice_be_left_out_too(world: World) -> None:
    ada, order_id = refused(world)
    go_on_without(world, order_id)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    go_on_without(world, order_id)
    world.run(order_id)
    support_refund.give_back(order_id, by="ops", why="asked by phone")
    with pytest.raises(Misconfigured):
        world.run(order_id)
    assert world.given_back(ada) == [119_00]
    go_on_without(world, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert statuses(world, order_id)["refund_notice"] == "undeliverable"
    assert world.subscription(ada, "desk").status is SubscriptionStatus.ENDED
    assert books.differences(world) == []


@pytest.mark.parametrize("ends", ["won", "lost"])
@pytest.mark.parametrize("was_tried", [True, False])
def test_a_notice_of_what_the_bank_returns_is_not_sent_by_itself_while_its_dispute_is_not_lost_any_more(
    world: World, ends: str, *, was_tried: bool
) -> None:
    ada, order_id, charge = bought(world)
    happens(world, charge, "needs_response", "lost")
    outside_refunds.settle(order_id, by="ops", why="dispute lost")
    if was_tried:
        world.mailbox.fail("relay_denied", recipient=ada.email)
        with pytest.raises(Misconfigured):
            world.run(order_id)
        world.mailbox.heal()
        assert orders_command("resume", order_id).exit_code == 0
    turns(world, charge, "needs_response")
    told = (
        r"says what the customer's bank returns, but dispute du_\w+, lost when that was recorded, is chargeback now: docs/disputes.md, A disputed "
        r"charge, says who has the money. `prorata orders resume 1001 --without-letters` ends the order without the letter$"
    )
    with pytest.raises(Misconfigured, match=told):
        world.run(order_id)
    assert (world.order(order_id).status, told_by_whom(world, ada)) == (OrderStatus.NEEDS_ATTENTION, None)
    turns(world, charge, ends)
    if ends == "won":
        go_on_without(world, order_id)
    else:
        assert orders_command("resume", order_id).exit_code == 0
    assert world.run(order_id).status is OrderStatus.REFUNDED
    last = {"won": (None, "undeliverable"), "lost": (BY_BANK, "sent")}[ends]
    assert (told_by_whom(world, ada), statuses(world, order_id)["refund_notice"]) == last


def turns(world: World, charge: str, status: str) -> None:
    turn(world, charge, status)
    world.notify(charge, "charge.dispute.updated")


def test_each_command_that_refuses_such_an_order_names_this_way(world: World) -> None:
    _, order_id = refused(world)
    number = world.order(order_id).number
    for words in (
        ("cancel", number),
        ("refund", number, "--why", "asked"),
        ("resume", number, "--from", "prompt_seat_assignment"),
        ("resume", number, "--from", "refund_payment"),
    ):
        done = orders_command(*words)
        assert done.exit_code == 1, words
        assert "--without-letters" in str(done.exception), words


def test_a_dry_run_says_which_letter_is_left_out(world: World) -> None:
    _, order_id = refused(world)
    told = json.loads(orders_command("resume", order_id, "--without-letters", "--dry-run", "--json").stdout)
    assert told["would"] == [
        "confirmation: is not sent, and counts as undeliverable",
        "send_confirmation_email: sends the other letter, if there is one that was not sent",
        "prompt_seat_assignment: asks to assign new seats unless that was sent, and completes the order",
    ]
    assert statuses(world, order_id) == {"confirmation": "sending"}


def test_all_orders_that_one_cause_parked_go_on_without_their_letters(world: World) -> None:
    order_ids = [refused(world)[1] for _ in range(2)]
    other = world.place(world.customer(), purchase())
    world.park(other)
    done = orders_command("resume", "--all-parked", "--without-letters", "--json")
    told = {each["number"]: each["why_not"] for each in json.loads(done.stdout)}
    assert [told[world.order(each).number] for each in order_ids] == [None, None]
    assert "waits for no letter" in told[world.order(other).number]
    assert [statuses(world, each) for each in order_ids] == [{"confirmation": LetterStatus.UNDELIVERABLE}] * 2
    assert world.order(other).status is OrderStatus.NEEDS_ATTENTION


def test_another_step_is_refused_beside_without_letters(world: World) -> None:
    _, order_id = refused(world)
    done = orders_command("resume", order_id, "--without-letters", "--from", "send_confirmation_email")
    assert (done.exit_code, statuses(world, order_id)) == (2, {"confirmation": "sending"})
