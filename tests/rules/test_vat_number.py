"""VAT numbers in the form that VIES wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.eu import vat as reference
from stdnum.exceptions import ValidationError
from stdnum.fr import tva

from models.rules.errors import WrongType
from models.rules.vat_number import as_requester, is_blank, normalized
from models.rules.vat_rates import STATES

# The examples of python-stdnum's own documentation, written as VIES wants them.
_EXAMPLES = """
ATU13585627 BE0428759497 BG175074752 CY10259033P CZ25123891 CZ7103192745 CZ640903926 DE136695976 DK13585628 EE100594102
ESB64717838 ES54362315K ESX5253868R ESM1234567L FI20774740 FR23334175221 FRK7399859412 FR4Z123456782 EL094259216
HR33392005961 HU12892312 IE6433435F IE6433435OA IE8D79739I IT00743110157 LT119511515 LT100001919017 LU15027442 LV40003521600
LV16117519997 MT11679112 NL004495445B01 NL002455799B11 PL8567346215 PT501964843 RO18547290 SE123456789701 SI50223054 SK2022749619
"""
GOOD = _EXAMPLES.split()
CHECKED_BY_ITS_LAST_CHARACTERS = [number for number in GOOD if number[:2] not in ("NL", "SE", "FR")]


def country_of(number: str) -> str:
    return {"EL": "GR"}.get(number[:2], number[:2])


def test_there_is_an_example_of_every_member_state() -> None:
    assert {country_of(number) for number in GOOD} == set(STATES)


@pytest.mark.parametrize("number", GOOD)
def test_a_good_number_is_kept_as_it_is(number: str) -> None:
    assert normalized(number, country=country_of(number)) == number


@pytest.mark.parametrize("number", GOOD)
def test_case_separators_and_a_missing_prefix_do_not_matter(number: str) -> None:
    country = country_of(number)
    assert normalized(f" {number[:2].lower()}-{number[2:5]}.{number[5:]}\u00a0\n", country=country) == number
    assert normalized(number[2:], country=country) == number


@pytest.mark.parametrize("number", CHECKED_BY_ITS_LAST_CHARACTERS)
def test_a_wrong_check_character_is_found(number: str) -> None:
    last = "B" if number[-1] == "A" else "A" if number[-1].isalpha() else str((int(number[-1]) + 1) % 10)
    assert normalized(number[:-1] + last, country=country_of(number)) is None


@pytest.mark.parametrize("number", GOOD)
def test_a_character_too_many_or_too_few_is_found(number: str) -> None:
    country = country_of(number)
    assert normalized(number + "0", country=country) is None
    assert normalized(number[:-1], country=country) is None or country == "RO"  # Romania's may be of any length


@pytest.mark.parametrize("number", GOOD)
def test_a_number_of_another_country_is_none_of_this_one(number: str) -> None:
    others = set(STATES) - {country_of(number)}
    assert {normalized(number, country=other) for other in others} == {None}


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("BE 428.759.497", "BE", "BE0428759497"),
        ("BE (0)428.759.497", "BE", "BE0428759497"),
        ("EL 94259216", "GR", "EL094259216"),
        ("GR094259216", "GR", "EL094259216"),
        ("NL4495445B01", "NL", "NL004495445B01"),
        ("DE １３６６９５９７６", "DE", "DE136695976"),  # full width, as some keyboards write
    ],
)
def test_older_and_foreign_ways_of_writing_are_understood(written: str, country: str, number: str) -> None:
    assert normalized(written, country=country) == number


@pytest.mark.parametrize(
    "number", ["DEDE136695976", "DE", "", "DE!136695976", "DE13669597６６", "ELGR094259216", "GRGR094259216"]
)
def test_what_cannot_be_a_number_is_not_read_as_one(number: str) -> None:
    assert normalized(number, country="DE") is None
    assert normalized(number, country="GR") is None


@pytest.mark.parametrize("number", ["FRDE000020552", "FRAT000010967", "FRFR000005488"])
def test_a_french_key_may_be_the_letters_of_a_country(number: str) -> None:
    assert tva.validate(number) == number[2:]
    assert normalized(number, country="FR") == number
    assert normalized(number[2:], country="FR") is None  # without its prefix it is read as a number of DE, AT or FR


def test_a_romanian_personal_code_is_too_long_for_vies() -> None:
    assert reference.validate("RO1630615123457") == "RO1630615123457"
    assert normalized("RO1630615123457", country="RO") is None


def test_a_number_that_is_no_string_is_a_wrong_type() -> None:
    with pytest.raises(WrongType, match="vat_number must be a string"):
        normalized(136695976, country="DE")  # type: ignore[arg-type]


@pytest.mark.parametrize(("number", "blank"), [(None, True), ("", True), (" \t-.", True), ("0", False), ("DE", False)])
def test_separators_alone_are_no_number(number: str | None, blank: bool) -> None:
    assert is_blank(number) is blank


@given(country=st.sampled_from(sorted(STATES)), body=st.text("0123456789ABU+* -.", max_size=14) | st.text(max_size=14))
def test_what_python_stdnum_accepts_for_vies_is_accepted_and_comes_out_the_same(country: str, body: str) -> None:
    prefix = {"GR": "EL"}.get(country, country)
    try:
        expected = reference.validate(prefix + body)
    except ValidationError:
        expected = ""
    found = normalized(prefix + body, country=country)
    if expected and len(expected) <= 14:
        assert found == expected
    assert found is None or normalized(found, country=country) == found


@pytest.mark.parametrize(
    ("country", "number", "known"),
    [
        ("DE", "de 136.695-976", "DE136695976"),
        ("GR", "GR 094259216", "EL094259216"),
        ("DE", "FR40303265045", None),
        ("GB", "xi 980 7806 84", "XI980780684"),
        ("GB", "XI980780685", None),
        ("GB", "GB980780684", None),
        ("GB", "980780684", None),
        ("CH", "CHE-107.787.577 IVA", None),
        ("CH", "", None),
        ("DE", None, None),
    ],
)
def test_who_asks_is_told_to_vies_only_by_a_number_that_it_can_know(
    country: str, number: str | None, known: str | None
) -> None:
    assert as_requester(number, country=country) == known
