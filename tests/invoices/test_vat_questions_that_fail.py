"""A question to the VAT registry that fails because of us, or in an order that cannot be handled: the others are not lost."""

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from models.vat_follow_ups import VatFollowUp
from tasks import wiring
from tasks.ports import Letter, Mailer
from tests.support.vat_outage import NUMBER, ask_again, during_outage, follow_up
from tests.support.world import World

FRENCH = "FR40303265045"


def errors(told: list[Any]) -> list[Any]:
    return [line for line in told if line["log_level"] == "error"]


def test_a_question_that_is_refused_because_of_us_is_the_last_of_its_run_and_uses_up_no_try(world: World) -> None:
    _, first = during_outage(world)
    during_outage(world)
    world.vies.fail("INVALID_REQUESTER_INFO")
    with capture_logs() as told:
        assert ask_again(world) == 1
    assert errors(told) == [
        {
            "event": "vat number cannot be asked about",
            "log_level": "error",
            "order_id": str(first.id),
            "error": "VIES does not accept the seller's own VAT number, see PRORATA_SELLER_VAT_NUMBER: INVALID_REQUESTER_INFO",
        }
    ]
    for _ in range(20):
        ask_again(world)
    assert [row.tries for row in world.rows(VatFollowUp)] == [0, 0]


def test_once_the_setting_is_mended_each_row_is_asked_about_within_minutes(world: World) -> None:
    _, order = during_outage(world)
    world.vies.fail("INVALID_REQUESTER_INFO")
    for _ in range(20):
        ask_again(world)
    world.vies.http.delete("/_control/faults").raise_for_status()
    assert ask_again(world, minutes=5) == 1
    assert follow_up(world, order).outcome == "confirmed"


def test_a_number_that_the_registry_rejects_uses_up_its_tries_and_holds_up_no_other(world: World) -> None:
    _, rejected = during_outage(world)
    world.vies.register(FRENCH, status="valid")
    _, other = during_outage(world, country="FR", vat_number=FRENCH)
    world.vies.fail("INVALID_INPUT", country="AT")
    with capture_logs() as told:
        assert ask_again(world) == 2
        assert follow_up(world, other).outcome == "confirmed"
        for _ in range(288):
            ask_again(world, minutes=5)
    assert {(line["event"], line["order_id"], line["error"]) for line in errors(told)} == {
        ("vat number cannot be asked about", str(rejected.id), "VIES rejects the request itself: INVALID_INPUT")
    }
    assert (len(errors(told)), follow_up(world, rejected).tries) == (5, 5)


def test_after_a_question_without_an_answer_only_that_country_waits_for_the_next_run(world: World) -> None:
    unasked = [during_outage(world)[1] for _ in range(2)]
    world.vies.register(FRENCH, status="valid")
    _, other = during_outage(world, country="FR", vat_number=FRENCH)
    world.vies.fail("MS_UNAVAILABLE", country="AT")
    assert ask_again(world) == 2
    assert follow_up(world, other).outcome == "confirmed"
    assert sorted(follow_up(world, order).tries for order in unasked) == [0, 1]


@pytest.mark.parametrize("fault", ["MS_UNAVAILABLE", "INVALID_REQUESTER_INFO"])
def test_a_letter_waits_for_no_questions_without_an_answer(world: World, fault: str) -> None:
    eva, order = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    world.mailbox.fail("greylisted", recipient=eva.email)
    ask_again(world)
    world.mailbox.heal()
    for _ in range(3):
        during_outage(world)
    world.vies.fail(fault)
    assert ask_again(world, minutes=21) == 2
    assert not follow_up(world, order).letter_owed


class Fails(Mailer):
    def send(self, letter: Letter) -> None:
        raise ValueError(f"an error of ours in {letter.message_id}")


def test_a_follow_up_that_cannot_be_handled_stops_no_other(world: World) -> None:
    _, first = during_outage(world)
    _, second = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    wiring.plug_in(replace(world.wiring, mailer=Fails()))
    with capture_logs() as told:
        assert ask_again(world) == 2
    assert [(line["event"], line["order_id"], line["exc_info"]) for line in errors(told)] == [
        ("vat follow-up cannot be handled", str(order.id), True) for order in (first, second)
    ]
    wiring.plug_in(world.wiring)
    assert ask_again(world, minutes=21) == 2
    assert not follow_up(world, second).letter_owed
