"""What the VIES adapter asks again, how often, and for how long."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.ports import VatStatus
from tests.support.vies_stand_in import ViesStandIn
from worker.adapters.vies import Vies


def registry(vies: ViesStandIn, *, timeout: float = 60.0, total_timeout: float = 120.0, attempts: int = 3) -> Vies:
    return Vies(base_url=vies.base_url, timeout=timeout, total_timeout=total_timeout, attempts=attempts)


@pytest.mark.parametrize("kind", ["MS_MAX_CONCURRENT_REQ", "http_503", "reset", "html"])
def test_a_passing_failure_is_asked_again_and_answered(vies: ViesStandIn, kind: str) -> None:
    vies.fail(kind, times=1)
    assert registry(vies).check("FR40303265045", requester=None).status is VatStatus.VALID
    assert len(vies.questions()) == 2


def test_a_lasting_failure_is_given_up_after_three_tries(vies: ViesStandIn) -> None:
    vies.fail("MS_UNAVAILABLE")
    assert registry(vies).check("FR40303265045", requester=None).reason == "MS_UNAVAILABLE"
    assert len(vies.questions()) == 3


@pytest.mark.parametrize("code", ["VAT_BLOCKED", "IP_BLOCKED"])
def test_who_is_blocked_does_not_ask_again(vies: ViesStandIn, code: str) -> None:
    vies.fail(code)
    assert registry(vies).check("FR40303265045", requester=None).reason == code
    assert len(vies.questions()) == 1


def test_the_whole_question_ends_in_its_time_however_many_tries_are_left(vies: ViesStandIn) -> None:
    """Each takes 0.4 seconds at least, so there is room for two and a begun one."""
    vies.fail("hang", seconds=60)
    patient = registry(vies, timeout=0.4, total_timeout=1.0, attempts=100)
    assert patient.check("FR40303265045", requester=None).reason == "timeout"
    assert 1 <= len(vies.questions()) <= 3


def test_a_slow_register_is_waited_for(vies: ViesStandIn) -> None:
    vies.fail("slow", seconds=0.5)
    assert registry(vies, attempts=1).check("FR40303265045", requester=None).status is VatStatus.VALID


def test_one_registry_serves_many_threads(vies: ViesStandIn) -> None:
    shared = registry(vies)
    numbers = ["FR40303265045", "DE111111109"] * 10
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: shared.check(number, requester=None), numbers))
    assert [answer.status for answer in answers] == [VatStatus.VALID, VatStatus.INVALID] * 10


def test_an_outage_of_one_member_state_leaves_the_others_alone(vies: ViesStandIn) -> None:
    vies.fail("MS_UNAVAILABLE", country="DE")
    once = registry(vies, attempts=1)
    assert once.check("DE136695976", requester=None).status is VatStatus.UNAVAILABLE
    assert once.check("FR40303265045", requester=None).status is VatStatus.VALID


def test_names_addresses_and_numbers_stay_out_of_the_log(vies: ViesStandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vies.register("FR40303265045", status="valid", name="SECRET NAME", address="SECRET STREET")
    vies.fail("MS_UNAVAILABLE", times=1)
    assert registry(vies).check("FR40303265045", requester=None).name == "SECRET NAME"
    assert "vies asked again country=FR reason=MS_UNAVAILABLE attempt=1" in caplog.messages
    assert "SECRET" not in caplog.text
    assert "40303265045" not in caplog.text
