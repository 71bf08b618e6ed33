"""What the VIES adapter makes of each answer, against the stand-in over HTTP."""

import json
from datetime import UTC, datetime

import pytest

from tasks.errors import Misconfigured, NumberRejected
from tasks.ports import VatAnswer, VatRegistry, VatStatus
from tests.support.vies_stand_in import ViesStandIn
from worker.adapters import vies_answers
from worker.adapters.vies import Vies

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
OUTAGE_CODES = [
    "SERVICE_UNAVAILABLE",
    "MS_UNAVAILABLE",
    "TIMEOUT",
    "VAT_BLOCKED",
    "IP_BLOCKED",
    "GLOBAL_MAX_CONCURRENT_REQ",
    "GLOBAL_MAX_CONCURRENT_REQ_TIME",
    "MS_MAX_CONCURRENT_REQ",
    "MS_MAX_CONCURRENT_REQ_TIME",
]


def asked(vies: ViesStandIn, *, attempts: int = 1, timeout: float = 60.0) -> VatRegistry:
    return Vies(
        base_url=vies.base_url,
        attempts=attempts,
        timeout=timeout,
        total_timeout=60.0,
        now=lambda: NOON,
    )


def test_a_registered_number_is_valid_with_name_and_address(vies: ViesStandIn) -> None:
    vies.register("FR40303265045", status="valid", name="SA SODIMAS", address="11 RUE AMPERE\n26600 PONT DE L ISERE")
    assert asked(vies).check("FR40303265045", requester=None) == VatAnswer(
        VatStatus.VALID, "FR40303265045", NOON, None, "SA SODIMAS", "11 RUE AMPERE\n26600 PONT DE L ISERE"
    )


def test_an_unregistered_number_is_invalid(vies: ViesStandIn) -> None:
    assert asked(vies).check("DE111111109", requester=None) == VatAnswer(VatStatus.INVALID, "DE111111109", NOON)


def test_a_member_state_that_keeps_names_to_itself_gives_none(vies: ViesStandIn) -> None:
    answer = asked(vies).check("DE136695976", requester=None)
    assert (answer.status, answer.name, answer.address) == (VatStatus.VALID, None, None)


@pytest.mark.parametrize("number", ["EL094259216", "XI110305878"])
def test_greece_is_asked_as_el_and_northern_ireland_as_xi(vies: ViesStandIn, number: str) -> None:
    assert asked(vies).check(number, requester=None).status is VatStatus.VALID
    assert [(q["countryCode"], q["vatNumber"]) for q in vies.questions()] == [(number[:2], number[2:])]


def test_who_says_who_asks_gets_a_consultation_number(vies: ViesStandIn) -> None:
    answer = asked(vies).check("FR40303265045", requester="DE136695976")
    assert answer.consultation_number is not None
    assert answer.consultation_number.startswith("WAPI")
    assert vies.questions()[0]["requesterMemberStateCode"] == "DE"
    assert vies.questions()[0]["requesterNumber"] == "136695976"


def test_nobody_is_told_a_requester_that_was_not_given(vies: ViesStandIn) -> None:
    asked(vies).check("FR40303265045", requester=None)
    assert "requesterNumber" not in vies.questions()[0]


@pytest.mark.parametrize("code", OUTAGE_CODES)
def test_every_outage_code_says_nothing_about_the_number(vies: ViesStandIn, code: str) -> None:
    vies.fail(code)
    answer = asked(vies).check("FR40303265045", requester=None)
    assert answer == VatAnswer(VatStatus.UNAVAILABLE, "FR40303265045", NOON, reason=code)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("http_500", "VOW-ERR-1"),
        ("http_503", "http_503"),
        ("reset", "unreachable"),
        ("html", "unexpected_answer"),
        ("truncated", "unexpected_answer"),
    ],
)
def test_every_broken_answer_is_an_outage(vies: ViesStandIn, kind: str, reason: str) -> None:
    vies.fail(kind)
    answer = asked(vies).check("FR40303265045", requester=None)
    assert (answer.status, answer.reason) == (VatStatus.UNAVAILABLE, reason)


@pytest.mark.parametrize("other", [{"vatNumber": "40303265046"}, {"countryCode": "IT"}])
def test_a_verdict_about_another_number_is_no_verdict(other: dict[str, str]) -> None:
    question = vies_answers.question_about("FR40303265045", None)
    body = json.dumps({**question, **other, "valid": True}).encode()
    with pytest.raises(vies_answers.Unavailable, match="unexpected_answer"):
        vies_answers.verdict(200, body, question, at_home=True)


def answered(**fields: object) -> bytes:
    return json.dumps({"countryCode": "FR", "vatNumber": "40303265045", "valid": True, **fields}).encode()


@pytest.mark.parametrize("field", ["name", "address", "requestIdentifier"])
@pytest.mark.parametrize("value", [7, True, ["SODIMAS"], {"fr": "SODIMAS"}], ids=repr)
def test_a_verdict_with_something_else_than_text_is_no_verdict(field: str, value: object) -> None:
    question = vies_answers.question_about("FR40303265045", None)
    with pytest.raises(vies_answers.Unavailable, match="unexpected_answer"):
        vies_answers.verdict(200, answered(**{field: value}), question, at_home=True)


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("name", "x" * 500, "x" * 500),
        ("name", "x" * 501, "x" * 500),
        ("address", "x" * 1001, "x" * 1000),
        ("requestIdentifier", "x" * 61, "x" * 60),
        ("name", "SA\0 SODIMAS\x9b", "SA  SODIMAS"),
        ("name", "SODI\ud800MAS", "SODI?MAS"),
        ("name", "\U0001f600" * 501, "\U0001f600" * 500),
        ("address", "11 RUE AMPERE \r\n26600 PONT\u2028", "11 RUE AMPERE\n26600 PONT"),
        ("name", "\0", None),
        ("name", None, None),
        ("name", "---", None),
    ],
    ids=ascii,
)
def test_what_the_registry_says_is_kept_as_far_as_it_can_be(field: str, value: str | None, kept: str | None) -> None:
    question = vies_answers.question_about("FR40303265045", None)
    answer = vies_answers.verdict(200, answered(**{field: value}), question, at_home=True)
    assert vies_answers.said(answer, field) == kept


def test_a_code_longer_than_any_that_can_be_kept_is_not_shown() -> None:
    question = vies_answers.question_about("FR40303265045", None)
    body = json.dumps({"errorWrappers": [{"error": "X" * 61}]}).encode()
    with pytest.raises(vies_answers.Unavailable, match="unexpected_answer"):
        vies_answers.verdict(200, body, question, at_home=True)


def test_a_register_that_hangs_is_an_outage_after_our_own_time_limit(vies: ViesStandIn) -> None:
    vies.fail("hang", seconds=30)
    assert asked(vies, timeout=0.3).check("FR40303265045", requester=None).reason == "timeout"


def test_a_register_that_is_not_there_is_an_outage(unused_tcp_port: int) -> None:
    vies = Vies(base_url=f"http://127.0.0.1:{unused_tcp_port}", attempts=1)
    assert vies.check("FR40303265045", requester=None).reason == "unreachable"


@pytest.mark.parametrize(
    ("code", "error"), [("INVALID_INPUT", NumberRejected), ("INVALID_REQUESTER_INFO", Misconfigured)]
)
def test_a_request_that_vies_rejects_needs_a_person(vies: ViesStandIn, code: str, error: type[Misconfigured]) -> None:
    vies.fail(code)
    with pytest.raises(Misconfigured, match=code) as rejected:
        asked(vies, attempts=3).check("FR40303265045", requester=None)
    assert rejected.type is error
    assert len(vies.questions()) == 1


def test_our_own_number_being_unknown_to_vies_needs_a_person(vies: ViesStandIn) -> None:
    with pytest.raises(Misconfigured, match="see PRORATA_SELLER_VAT_NUMBER: INVALID_REQUESTER_INFO"):
        asked(vies).check("FR40303265045", requester="DE111111109")


def test_a_wrong_address_of_the_service_needs_a_person(vies: ViesStandIn) -> None:
    with pytest.raises(Misconfigured, match="HTTP 404"):
        Vies(base_url=vies.url + "/elsewhere").check("FR40303265045", requester=None)


def test_at_the_registrys_own_address_a_page_that_is_not_there_is_an_outage(
    vies: ViesStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"{vies.base_url}/nowhere"
    monkeypatch.setattr("worker.adapters.vies.BASE_URL", nowhere)
    answer = Vies(base_url=nowhere, now=lambda: NOON).check("DE136695976", requester=None)
    assert (answer.status, answer.reason) == (VatStatus.UNAVAILABLE, "http_404")


@pytest.mark.parametrize("number", ["", "FR", "fr40303265045", "FR 40303265045", "FR40303265045\r\n"])
def test_a_number_that_was_not_normalized_is_never_sent(vies: ViesStandIn, number: str) -> None:
    with pytest.raises(Misconfigured, match="the customer's VAT number must"):
        asked(vies).check(number, requester=None)
    assert vies.questions() == []


def test_a_number_of_our_own_that_was_not_normalized_is_never_sent(vies: ViesStandIn) -> None:
    with pytest.raises(Misconfigured, match="the seller's own VAT number must"):
        asked(vies).check("FR40303265045", requester="DE 136695976")
    assert vies.questions() == []
