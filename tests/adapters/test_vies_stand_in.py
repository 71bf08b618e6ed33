"""The VIES stand-in itself: the real paths and shapes, and a memory that survives `kill -9`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stand_in_process import ROOT
from tests.support.vies_stand_in import BASE_PATH, ViesStandIn, running_vies


def test_an_outage_comes_as_http_200_with_its_code_in_the_body(vies: ViesStandIn) -> None:
    vies.fail("MS_UNAVAILABLE")
    answer = vies.post("check-vat-number", {"countryCode": "FR", "vatNumber": "40303265045"})
    assert answer.status_code == 200
    assert answer.json() == {"actionSucceed": False, "errorWrappers": [{"error": "MS_UNAVAILABLE"}]}


def test_an_answer_has_the_fields_of_the_real_one(vies: ViesStandIn) -> None:
    answer = vies.post("check-vat-number", {"countryCode": "FR", "vatNumber": "40303265045"}).json()
    requested = answer.pop("requestDate")
    assert requested.endswith("Z")
    assert answer == {
        "countryCode": "FR",
        "vatNumber": "40303265045",
        "valid": True,
        "requestIdentifier": "",
        "name": "SAMPLE TRADER FR",
        "address": "1 SAMPLE STREET\nFR 1000",
        "traderName": "---",
        "traderStreet": "---",
        "traderPostalCode": "---",
        "traderCity": "---",
        "traderCompanyType": "---",
        "traderNameMatch": "NOT_PROCESSED",
        "traderStreetMatch": "NOT_PROCESSED",
        "traderPostalCodeMatch": "NOT_PROCESSED",
        "traderCityMatch": "NOT_PROCESSED",
        "traderCompanyTypeMatch": "NOT_PROCESSED",
    }


@pytest.mark.parametrize(
    "body", [{"countryCode": "GR", "vatNumber": "094259216"}, {"countryCode": "FR", "vatNumber": ""}]
)
def test_an_unknown_country_and_an_empty_number_are_invalid_input(vies: ViesStandIn, body: dict[str, str]) -> None:
    assert vies.post("check-vat-number", body).json()["errorWrappers"] == [{"error": "INVALID_INPUT"}]


def test_half_a_requester_is_a_bad_request(vies: ViesStandIn) -> None:
    half = {"countryCode": "FR", "vatNumber": "40303265045", "requesterMemberStateCode": "DE"}
    answer = vies.post("check-vat-number", half)
    assert (answer.status_code, answer.json()["errorWrappers"]) == (400, [{"error": "VOW-ERR-11"}])


def test_check_status_names_the_member_state_that_is_down(vies: ViesStandIn) -> None:
    vies.fail("MS_UNAVAILABLE", country="DE")
    status = vies.get(f"{BASE_PATH}/check-status").json()
    assert status["vow"] == {"available": True}
    assert len(status["countries"]) == 28
    assert [one for one in status["countries"] if one["availability"] != "Available"] == [
        {"countryCode": "DE", "availability": "Unavailable"}
    ]


def test_register_faults_and_questions_survive_kill_9(tmp_path: Path) -> None:
    with running_vies(tmp_path) as vies:
        vies.register("FR40303265045", status="invalid")
        vies.fail("html", times=2)
        vies.post("check-vat-number", {"countryCode": "FR", "vatNumber": "40303265045"})
        vies.kill_and_restart()
        still_broken = vies.post("check-vat-number", {"countryCode": "FR", "vatNumber": "40303265045"})
        assert still_broken.text.startswith("<!doctype html>")
        answer = vies.post("check-vat-number", {"countryCode": "FR", "vatNumber": "40303265045"}).json()
        assert (answer["valid"], len(vies.questions())) == (False, 3)


def test_an_unknown_fault_is_refused_with_the_known_ones(vies: ViesStandIn) -> None:
    answer = vies.http.post("/_control/faults", json={"kind": "earthquake"})
    assert answer.status_code == 422
    assert "unknown kind 'earthquake'; known: SERVICE_UNAVAILABLE, MS_UNAVAILABLE" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--port", "http"], "should be a valid integer"),
        (["--port", "70000"], "Invalid value for '--port'"),
        (["--data", "pyproject.toml"], "cannot use pyproject.toml as data file: file is not a database"),
        (["--data", "/"], "file '/' is a directory"),
        (["--host", "256.1.1.1", "--port", "0"], "cannot listen on 256.1.1.1:0"),
        (["--colour", "red"], "No such option: --colour"),
    ],
)
def test_a_wrong_flag_is_named_and_nothing_starts(tmp_path: Path, flags: list[str], complaint: str) -> None:
    command = [sys.executable, "-m", "api_stub.stand_ins.vies", "--data", str(tmp_path / "vies.sqlite3"), *flags]
    wide = {**os.environ, "COLUMNS": "200"}
    ended = subprocess.run(command, cwd=ROOT, env=wide, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 2
    assert complaint in ended.stderr
