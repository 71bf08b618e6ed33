"""The confirmation's figures: those of the order, in the customer's way of writing them."""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from models.accounts import Language
from models.rules.period import Interval
from models.rules.quote import Quoted
from models.rules.vat import Treatment, VatDecision
from models.states import LetterKind, PaymentKind
from tests.letters.orders import (
    CUT,
    OUT_OF_SCOPE,
    PURCHASE,
    REVERSE_CHARGE,
    TEN_DAYS_LEFT,
    TRIAL,
    UPGRADE,
    account,
    letter,
    priced,
    running,
)
from tests.letters.reading import read, words

MIXED = priced(UPGRADE, TRIAL, balance_minor=5000)


def confirmed(quoted: Quoted, language: Language = Language.EN, **other: Any) -> str:
    return letter(LetterKind.CONFIRMATION, quoted, language=language, **other).text


def row(text: str, label: str) -> str:
    """The figure beside `label`, in the last row that has it."""
    found = re.findall(rf"^{re.escape(label)} {{2,}}(\S.*)$", text, re.MULTILINE)
    return str(found[-1])


@pytest.mark.parametrize(
    ("language", "charge", "credit", "due", "period"),
    [
        (Language.EN, "€300.00", "−€33.33", "€267.34", "21\xa0November\xa02026 – 21\xa0December\xa02026"),
        (Language.DE, "300,00\xa0€", "−33,33\xa0€", "267,34\xa0€", "21.\xa0November\xa02026 – 21.\xa0Dezember\xa02026"),
        (
            Language.ES,
            "300,00\xa0€",
            "−33,33\xa0€",
            "267,34\xa0€",
            "21\xa0de\xa0noviembre\xa0de\xa02026 – 21\xa0de\xa0diciembre\xa0de\xa02026",
        ),
        (Language.FR, "300,00\xa0€", "−33,33\xa0€", "267,34\xa0€", "21\xa0novembre\xa02026 – 21\xa0décembre\xa02026"),
        (Language.IT, "300,00\xa0€", "−33,33\xa0€", "267,34\xa0€", "21\xa0novembre\xa02026 – 21\xa0dicembre\xa02026"),
    ],
)
def test_figures_are_written_as_the_language_writes_them(
    language: Language, charge: str, credit: str, due: str, period: str
) -> None:
    text = confirmed(MIXED, language)
    for figure in (charge, credit, due):
        assert re.search(rf" {re.escape(figure)}$", text, re.MULTILINE)
    assert f" {period}\n" in text


def test_a_single_seat_in_german_is_11_90() -> None:
    assert row(confirmed(priced(PURCHASE), Language.DE), "Abgebucht von Visa •••• 4242") == "11,90\xa0€"


def test_thousands_in_french_are_set_off_by_narrow_spaces() -> None:
    text = confirmed(priced(replace(PURCHASE, seats=1000)), Language.FR)
    assert row(text, "Prélevé sur Visa •••• 4242") == "11\u202f900,00\xa0€"


@pytest.mark.parametrize(
    ("currency", "figure"), [("EUR", "€11.90"), ("JPY", "JP¥1,190"), ("KWD", "KWD\xa01.190"), ("IQD", "IQD\xa01.190")]
)
def test_each_currency_has_its_own_decimals(currency: str, figure: str) -> None:
    text = confirmed(priced(PURCHASE), order={"currency": currency})
    assert row(text, "Charged to Visa •••• 4242") == figure


def test_the_arithmetic_of_a_change_is_complete() -> None:
    text = confirmed(priced(UPGRADE))
    figures = [
        row(text, label) for label in ("15 ×\xa0€20.00", "Prorated credit for unused time", "Net", "VAT 19%", "Total")
    ]
    assert figures == ["€300.00", "−€33.33", "€266.67", "€50.67", "€317.34"]
    assert row(text, "Before") == "10 seats of Desk Team, billed monthly"
    assert row(text, "Renewal date") == "21\xa0December\xa02026"


RENEWS_NOTHING = {
    Language.EN: "On the renewal date nothing is charged automatically. To go on afterwards, subscribe again from that day on.",
    Language.DE: "Am Verlängerungsdatum wird nichts automatisch abgebucht. Um danach weiterzumachen, schließen Sie ab diesem Tag bitte ein neues Abonnement ab.",
    Language.ES: "En la fecha de renovación no se cobra nada automáticamente. Para continuar después, suscríbase de nuevo a partir de ese día.",
    Language.FR: "À la date de renouvellement, rien n’est prélevé automatiquement. Pour continuer ensuite, abonnez-vous de nouveau à partir de ce jour.",
    Language.IT: "Alla data di rinnovo non viene addebitato nulla automaticamente. Per continuare in seguito, si abboni di nuovo a partire da quel giorno.",
}


@pytest.mark.parametrize("language", Language)
def test_who_reads_a_renewal_date_learns_that_nothing_is_charged_then(language: Language) -> None:
    for quoted in (priced(PURCHASE, replace(PURCHASE, product="wiki")), MIXED):
        sent = letter(LetterKind.CONFIRMATION, quoted, language=language)
        for said in (words(sent.text), " ".join(read(sent.html).texts)):
            assert said.count(RENEWS_NOTHING[language]) == 1


def test_a_trial_has_no_renewal_date_to_speak_of() -> None:
    assert "renewal" not in confirmed(priced(TRIAL)).lower()


@pytest.mark.parametrize(
    ("language", "a_month", "a_year"),
    [
        (Language.EN, "Net price per seat and month", "Net price per seat and year"),
        (Language.DE, "Nettopreis je Lizenz und Monat", "Nettopreis je Lizenz und Jahr"),
        (Language.ES, "Precio neto por licencia y mes", "Precio neto por licencia y año"),
        (Language.FR, "Prix HT par licence et par mois", "Prix HT par licence et par an"),
        (Language.IT, "Prezzo per licenza al mese (IVA esclusa)", "Prezzo per licenza all'anno (IVA esclusa)"),
    ],
)
def test_the_unit_price_is_said_to_be_exclusive_of_vat(language: Language, a_month: str, a_year: str) -> None:
    for interval, label in ((Interval.MONTH, a_month), (Interval.YEAR, a_year)):
        text = confirmed(priced(replace(PURCHASE, interval=interval)), language)
        assert re.search(rf"^{re.escape(label)} +\S", text, re.MULTILINE)


def test_line_totals_sum_to_the_order() -> None:
    text = confirmed(priced(replace(PURCHASE, product="wiki"), UPGRADE))
    total, *lines = re.findall(r"^Total +€([\d.]+)$", text, re.MULTILINE)
    assert sum(map(Decimal, lines)) == Decimal(total) == Decimal("329.24")


def test_the_balance_pays_first() -> None:
    text = confirmed(priced(UPGRADE, balance_minor=5000))
    assert row(text, "Paid from your balance") == "−€50.00"
    assert row(text, "Charged to Visa •••• 4242") == "€267.34"


def test_a_balance_that_pays_for_all_leaves_nothing_due() -> None:
    text = confirmed(priced(PURCHASE, balance_minor=5000))
    assert row(text, "Nothing due") == "€0.00"
    assert "Charged to" not in text


def test_what_a_reduction_gives_back_becomes_balance() -> None:
    text = confirmed(priced(CUT))
    assert row(text, "Added to your balance") == "€15.86"
    assert "Charged to" not in text


def test_what_a_charge_is_rounded_up_by_becomes_balance() -> None:
    quoted = priced(PURCHASE, balance_minor=5, charge_unit_minor=10)
    text = confirmed(quoted, order={"currency": "KWD"})
    assert row(text, "Paid from your balance") == "−KWD\xa00.005"
    assert row(text, "Rounding up, added to your balance") == "KWD\xa00.005"
    assert row(text, "Charged to Visa •••• 4242") == "KWD\xa01.190"


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (Language.EN, "You bought 1 seat of Desk Team, billed monthly, for the period from 21 November 2026"),
        (Language.ES, "Ha comprado 1 licencia de Desk Team"),
        (Language.DE, "Sie haben 1 Lizenz Desk Team (monatliche Abrechnung) für den Zeitraum"),
        (Language.FR, "Vous avez acheté 1 licence Desk Team"),
        (Language.IT, "Ha acquistato 1 licenza Desk Team"),
    ],
)
def test_what_is_confirmed_was_bought(language: Language, sentence: str) -> None:
    assert sentence in " ".join(confirmed(priced(PURCHASE), language).split())


def test_an_invoiced_order_says_when_it_is_due() -> None:
    invoiced = {"payment_kind": PaymentKind.INVOICE, "payment_due_at": TEN_DAYS_LEFT}
    text = confirmed(priced(PURCHASE), Language.ES, order=invoiced)
    said = re.sub(r" +", " ", text.replace("\n", " "))
    assert "Pendiente de pago por transferencia, vencimiento: 21\xa0de\xa0noviembre\xa0de\xa02026 11,90\xa0€" in said


def test_dates_are_those_of_the_accounts_time_zone() -> None:
    text = confirmed(priced(PURCHASE), account=account(timezone="America/New_York"))
    assert "It took effect on 20 November 2026, 18:00 UTC−5" in " ".join(text.split())


def test_a_trial_in_a_mixed_order_costs_nothing_and_ends_by_itself() -> None:
    text = " ".join(confirmed(MIXED).split())
    assert "Trial period 21 November 2026 – 5 December 2026" in text
    assert "ends by itself on 5 December 2026, 00:00 UTC+1, without a charge" in text


@pytest.mark.parametrize(
    ("language", "note"),
    [
        (Language.EN, "Reverse charge: the recipient is liable for the VAT"),
        (Language.DE, "Steuerschuldnerschaft des Leistungsempfängers"),
        (Language.ES, "Inversión del sujeto pasivo"),
        (Language.FR, "Autoliquidation"),
        (Language.IT, "Inversione contabile (reverse charge)"),
    ],
)
def test_reverse_charge_is_named_as_the_law_names_it(language: Language, note: str) -> None:
    text = confirmed(priced(PURCHASE, vat=REVERSE_CHARGE), language, order={"vat_number": "ESB12345674"})
    assert note in text
    assert "2006/112" in text
    assert "ESB12345674" in text


def test_reverse_charge_gives_back_the_tax_once_charged() -> None:
    text = confirmed(priced(UPGRADE, vat=REVERSE_CHARGE))
    assert row(text, "VAT") == "−€6.33"


@pytest.mark.parametrize(
    ("language", "reverse_charge", "out_of_scope"),
    [
        (Language.EN, "Reverse charge", "Outside the scope of EU VAT"),
        (Language.DE, "Steuerschuldnerschaft des Leistungsempfängers", "In der EU nicht steuerbare Leistung"),
        (Language.ES, "Inversión del sujeto pasivo", "Operación no sujeta al IVA de la UE"),
        (Language.FR, "Autoliquidation", "Hors du champ de la TVA de l’UE"),
        (Language.IT, "Inversione contabile", "Operazione non soggetta all'IVA dell'UE"),
    ],
)
def test_a_line_without_vat_says_why_instead_of_a_rate(
    language: Language, reverse_charge: str, out_of_scope: str
) -> None:
    for vat, why in ((REVERSE_CHARGE, reverse_charge), (OUT_OF_SCOPE, out_of_scope)):
        text = confirmed(priced(PURCHASE, vat=vat), language)
        assert re.fullmatch(r"€0\.00|0,00\xa0€", row(text, why))
        assert not re.search(r"\b0\xa0?%", text)


def test_a_sale_outside_the_union_says_so() -> None:
    assert "Outside the scope of EU VAT" in confirmed(priced(PURCHASE, vat=OUT_OF_SCOPE))


def test_the_destinations_rate_names_the_country() -> None:
    finland = VatDecision(Treatment.DESTINATION_RATE, Decimal("25.500"), None)
    text = confirmed(priced(PURCHASE, vat=finland), Language.DE, account=account(country="FI"))
    assert "USt. zum Steuersatz des Bestimmungslands: Finnland." in text
    assert row(text, "USt. 25,5\xa0%") == "2,55\xa0€"


CYPRIOT_VAT = VatDecision(Treatment.DESTINATION_RATE, Decimal("19.000"), None)


def test_a_line_with_the_vat_of_two_countries_does_not_call_it_by_their_common_rate() -> None:
    text = confirmed(priced(UPGRADE, vat=CYPRIOT_VAT), account=account(country="CY"), credited_in={0: "DE"})
    assert row(text, "VAT") == "€50.67"
    assert "VAT 19%" not in text
    said = " ".join(text.split())
    assert "€57.00 on the new period (19%, Cyprus), less €6.33 on the credit (19%, Germany, as it was charged)" in said
    assert "the customer's country: Cyprus. VAT is credited where it was charged: Germany." in said


def test_a_line_whose_credit_and_charge_are_of_one_country_names_it_once() -> None:
    text = confirmed(priced(UPGRADE, vat=CYPRIOT_VAT), account=account(country="CY"), credited_in={0: "CY"})
    assert row(text, "VAT 19%") == "€50.67"
    assert text.count("Cyprus") == 1
    assert text == confirmed(priced(UPGRADE, vat=CYPRIOT_VAT), account=account(country="CY"))


def test_trials_alone_carry_no_note_on_vat() -> None:
    """Nothing is sold. A trial beside a purchase changes nothing about the purchase's notes."""
    trial = running(id=None, interval=None, charged_minor=0, tax_minor=0)
    numbered: dict[str, Any] = {"order": {"vat_number": "ESB12345674"}}
    alone = confirmed(priced(UPGRADE, held={"desk": trial}, vat=REVERSE_CHARGE), **numbered)
    beside = confirmed(priced(PURCHASE, TRIAL, vat=REVERSE_CHARGE), **numbered)
    notes = ("Reverse charge: the recipient", "Your VAT number: ESB12345674.")
    assert [note in text for text in (alone, beside) for note in notes] == [False, False, True, True]


@pytest.mark.parametrize(
    ("flag", "note"), [("vat_provisional", "We will try again"), ("vat_set_aside", "the VAT is credited to you")]
)
def test_an_unanswered_vat_number_is_told(flag: str, note: str) -> None:
    assert note not in " ".join(confirmed(priced(PURCHASE)).split())
    assert note in " ".join(confirmed(priced(PURCHASE), order={flag: True}).split())
