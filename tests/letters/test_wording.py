"""Money, numbers and dates in each language."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from models.accounts import Language
from tasks.letters.wording import Wording
from tasks.plain_text import one_line

NARROW, NO_BREAK = "\u202f", "\xa0"


def w(language: Language, currency: str = "EUR", timezone: str = "UTC") -> Wording:
    return Wording(language, currency, timezone)


@pytest.mark.parametrize(
    ("language", "money"),
    [
        (Language.EN, "−€1,234,567.89"),
        (Language.ES, f"−1.234.567,89{NO_BREAK}€"),
        (Language.DE, f"−1.234.567,89{NO_BREAK}€"),
        (Language.FR, f"−1{NARROW}234{NARROW}567,89{NO_BREAK}€"),
        (Language.IT, f"−1.234.567,89{NO_BREAK}€"),
    ],
)
def test_money_is_written_as_the_language_writes_it(language: Language, money: str) -> None:
    assert w(language).money(-123_456_789) == money


@pytest.mark.parametrize(
    ("currency", "money"), [("EUR", f"12,34{NO_BREAK}€"), ("JPY", f"1.234{NO_BREAK}¥"), ("KWD", f"1,234{NO_BREAK}KWD")]
)
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, money: str) -> None:
    assert w(Language.DE, currency).money(1234) == money


def test_four_digits_are_grouped_in_spanish_and_italian_too() -> None:
    for language in (Language.ES, Language.IT):
        assert (w(language).money(100_000), w(language).number(1000)) == (f"1.000,00{NO_BREAK}€", "1.000")


def test_money_is_exact_where_a_float_is_not() -> None:
    assert w(Language.EN).money(9_007_199_254_740_993) == "€90,071,992,547,409.93"


@pytest.mark.parametrize(
    ("language", "rate"),
    [
        (Language.EN, "25.5%"),
        (Language.ES, f"25,5{NO_BREAK}%"),
        (Language.DE, f"25,5{NO_BREAK}%"),
        (Language.FR, f"25,5{NO_BREAK}%"),
        (Language.IT, "25,5%"),
    ],
)
def test_a_rate_keeps_its_decimals_and_no_more(language: Language, rate: str) -> None:
    assert w(language).percent(Decimal("25.500")) == rate
    assert w(language).percent(Decimal("19.000")) == rate.replace("25.5", "19").replace("25,5", "19")


@pytest.mark.parametrize(
    ("language", "day"),
    [
        (Language.EN, f"1{NO_BREAK}November{NO_BREAK}2026"),
        (Language.ES, f"1{NO_BREAK}de{NO_BREAK}noviembre{NO_BREAK}de{NO_BREAK}2026"),
        (Language.DE, f"1.{NO_BREAK}November{NO_BREAK}2026"),
        (Language.FR, f"1er{NO_BREAK}novembre{NO_BREAK}2026"),
        (Language.IT, f"1º{NO_BREAK}novembre{NO_BREAK}2026"),
    ],
)
def test_a_day_is_the_accounts_day(language: Language, day: str) -> None:
    assert w(language, timezone="Europe/Berlin").date(datetime(2026, 10, 31, 23, tzinfo=UTC)) == day


@pytest.mark.parametrize(
    ("timezone", "moment"),
    [
        ("Europe/Berlin", "21 November 2026, 00:00 UTC+1"),
        ("America/New_York", "20 November 2026, 18:00 UTC−5"),
        ("America/St_Johns", "20 November 2026, 19:30 UTC−3:30"),
        ("Asia/Kolkata", "21 November 2026, 04:30 UTC+5:30"),
        ("UTC", "20 November 2026, 23:00 UTC"),
    ],
)
def test_a_moment_says_how_far_its_zone_is_from_utc(timezone: str, moment: str) -> None:
    said = w(Language.EN, timezone=timezone).moment(datetime(2026, 11, 20, 23, tzinfo=UTC))
    assert said.replace(NO_BREAK, " ") == moment


@pytest.mark.parametrize(
    ("language", "moment"),
    [
        (Language.EN, "1 July 2026, 09:05 UTC+2"),
        (Language.ES, "1 de julio de 2026, 9:05 UTC+2"),
        (Language.DE, "1. Juli 2026, 09:05 UTC+2"),
        (Language.FR, "1er juillet 2026, 09:05 UTC+2"),
        (Language.IT, "1º luglio 2026, 09:05 UTC+2"),
    ],
)
def test_a_moment_names_no_zone_in_another_language(language: Language, moment: str) -> None:
    said = w(language, timezone="Europe/Berlin").moment(datetime(2026, 7, 1, 7, 5, 59, tzinfo=UTC))
    assert said.replace(NO_BREAK, " ") == moment


def test_a_moment_to_the_second() -> None:
    said = w(Language.EN).moment(datetime(2026, 7, 1, 7, 5, 59, tzinfo=UTC), to_the_second=True)
    assert said == f"1{NO_BREAK}July{NO_BREAK}2026, 07:05:59{NO_BREAK}UTC"


@pytest.mark.parametrize("language", Language)
def test_a_line_ends_before_a_sign_of_a_formula_never_after_it(language: Language) -> None:
    said = w(language).say(
        "So %(credit)s is credited: %(charged)s × %(left)s ÷ %(whole)s.",
        credit="a",
        charged="b − c",
        left="d",
        whole="e",
    )
    assert said.endswith(f"b − c ×{NO_BREAK}d ÷{NO_BREAK}e."), "names that are filled in stay as they are"


@pytest.mark.parametrize(
    ("number", "form"), [(0, "0 jour"), (1, "1 jour"), (2, "2 jours"), (1000, f"1{NARROW}000 jours")]
)
def test_french_counts_none_as_one(number: int, form: str) -> None:
    assert w(Language.FR).say_n("%(days)s day", "%(days)s days", number, days=number) == form


@pytest.mark.parametrize(
    ("items", "joined"),
    [
        (["Ana", "Inés"], "Ana e Inés"),
        (["Ana", "íñigo@x.example"], "Ana e íñigo@x.example"),
        (["Ana", "Hilario"], "Ana e Hilario"),
        (["Ana", "Híades"], "Ana e Híades"),
        (["Ana", "Hierro"], "Ana y Hierro"),
        (["Ana", "Hiato"], "Ana y Hiato"),
        (["Ana", "Yolanda"], "Ana y Yolanda"),
        (["Inés", "Ana"], "Inés y Ana"),
        (["Ana y", "Irene y Inés", "Iker"], "Ana y, Irene y Inés e Iker"),
        (["Inés"], "Inés"),
        ([], ""),
    ],
)
def test_a_spanish_and_changes_before_its_own_sound_at_the_last_joint(items: list[str], joined: str) -> None:
    assert w(Language.ES).listed(items) == joined


@pytest.mark.parametrize(
    ("items", "joined"),
    [
        (["Team", "Office"], "Team u Office"),
        (["Team", "Óptimo"], "Team u Óptimo"),
        (["Team", "Home"], "Team u Home"),
        (["Team", "Huerto"], "Team o Huerto"),
        (["Office", "Team"], "Office o Team"),
        (["Basic", "Oro", "Office"], "Basic, Oro u Office"),
    ],
)
def test_a_spanish_or_changes_before_its_own_sound_at_the_last_joint(items: list[str], joined: str) -> None:
    assert w(Language.ES).one_of(items) == joined


@pytest.mark.parametrize(("language", "joined"), [(Language.EN, "Ana and Inés"), (Language.IT, "Ana e Inés")])
def test_other_languages_join_as_ever(language: Language, joined: str) -> None:
    assert w(language).listed(["Ana", "Inés"]) == joined


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Rossi S.r.l.", "It changed the plan for Rossi S.r.l. It took effect."),
        ("Rossi", "It changed the plan for Rossi. It took effect."),
        ("Yahoo!", "It changed the plan for Yahoo!. It took effect."),
    ],
)
def test_a_name_that_ends_in_a_full_stop_gets_no_second_one(name: str, said: str) -> None:
    english = w(Language.EN)
    assert english.say("It changed the plan for %(name)s. It took effect.", name=name) == said
    assert english.say("%(name)s: %(other)s.", name=name, other="Acme Inc.") == f"{name}: Acme Inc."
    assert english.say_n("It is %(name)s.", "They are %(name)s.", 2, name="Acme Inc.") == "They are Acme Inc."


def test_one_line_leaves_ordinary_names_alone() -> None:
    assert one_line("Société Générale – Zürich 株式会社") == "Société Générale – Zürich 株式会社"


def test_equal_numbers_with_other_digits_are_not_taken_for_each_other() -> None:
    told = [w(Language.EN).number(number) for number in (5, Decimal("5.25"), Decimal("5.250"), Decimal(5))]
    assert told == ["5", "5.25", "5.25", "5"]
    assert [w(Language.DE).percent(Decimal(rate)) for rate in ("19", "19.00", "25.5")] == [
        "19\xa0%",
        "19\xa0%",
        "25,5\xa0%",
    ]
