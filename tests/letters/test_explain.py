"""Why this amount: sentences from which the amount can be worked out again."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from models.accounts import Language
from models.orders import QuoteLine
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from models.rules.proration import Granularity
from models.states import OrderStatus
from tasks.letters.explain import explain_outcome, explain_settlement, sentences
from tasks.letters.telling import Telling
from tasks.letters.wording import Wording
from tests.letters.orders import (
    CUT,
    NAMES,
    NOVEMBER,
    OUT_OF_SCOPE,
    PURCHASE,
    REVERSE_CHARGE,
    TEN_DAYS_LEFT,
    TRIAL,
    UPGRADE,
    order_lines,
    order_of,
    priced,
    quote_lines,
    running,
)


def explained(
    lines: Any, language: Language = Language.EN, *, currency: str = "EUR", in_effect: bool = False
) -> tuple[str, ...]:
    (only,) = lines
    return sentences(only, Telling(w=Wording(language, currency, "Europe/Berlin"), names=NAMES, in_effect=in_effect))


def upgraded(**facts: Any) -> list[QuoteLine]:
    return quote_lines(priced(UPGRADE, **facts))


def test_a_change_is_explained_from_credit_to_total() -> None:
    assert explained(upgraded()) == (
        "You have 10 seats of Desk Team, billed monthly, for €100.00 (net) from 1\xa0November\xa02026 to 1\xa0December\xa02026.",
        "Time left when the change takes effect (21\xa0November\xa02026, 00:00:00\xa0UTC+1): 864,000 of 2,592,000 seconds of that"
        " period (10 of 30 days).",
        "So €33.33 is credited: €100.00 ×\xa0864,000 ÷\xa02,592,000, rounded half up.",
        "You change to 15 seats of Desk Business, billed monthly, for a new period from 21\xa0November\xa02026 to"
        " 21\xa0December\xa02026: 15 ×\xa0€20.00 =\xa0€300.00.",
        "Charge less credit, net: €300.00 −\xa0€33.33 =\xa0€266.67.",
        "VAT: €57.00 on the new period (19%), less €6.33 on the credit (19%, as it was charged), each rounded half up,"
        " makes €50.67.",
        "Net €266.67 and VAT €50.67 make €317.34.",
    )


def test_a_purchase_is_explained() -> None:
    assert explained(quote_lines(priced(PURCHASE))) == (
        "You buy 1 seat of Desk Team, billed monthly, for the period from 21\xa0November\xa02026 to 21\xa0December\xa02026:"
        " 1 ×\xa0€10.00 =\xa0€10.00.",
        "VAT: 19% of €10.00, rounded half up, is €1.90.",
        "Net €10.00 and VAT €1.90 make €11.90.",
    )


def test_a_trial_is_explained() -> None:
    assert explained(quote_lines(priced(TRIAL))) == (
        "You get 3 seats of Wiki Team, on a free trial.",
        "The trial costs nothing and ends by itself on 5\xa0December\xa02026, 00:00\xa0UTC+1, without a charge.",
    )


CHANGED_TRIAL = priced(UPGRADE, held={"desk": running(id=None, interval=None, charged_minor=0, tax_minor=0)})


def test_a_changed_trial_is_explained_by_what_it_is() -> None:
    assert explained(quote_lines(CHANGED_TRIAL))[0] == (
        "You have 10 seats of Desk Team, on a free trial; you change to 15 seats of Desk Business, on a free trial."
    )


@pytest.mark.parametrize(
    ("language", "replaced"),
    [
        (Language.EN, "This replaces 10 seats of Desk Team, on a free trial. The rest of the trial is forfeited."),
        (Language.DE, "Dies ersetzt 10 Lizenzen Desk Team (kostenloser Test). Der Rest des Tests verfällt."),
        (Language.ES, "Sustituye a 10 licencias de Desk Team (prueba gratuita). El resto de la prueba se pierde."),
        (Language.FR, "Cela remplace 10 licences Desk Team (essai gratuit). Le reste de l’essai est perdu."),
        (Language.IT, "Sostituisce 10 licenze Desk Team (prova gratuita). Il resto della prova va perso."),
    ],
)
def test_a_purchase_during_a_trial_says_that_the_rest_of_it_is_forfeited(language: Language, replaced: str) -> None:
    on_trial = running(id=None, interval=None, charged_minor=0, tax_minor=0)
    quoted = priced(PURCHASE, held={"desk": on_trial})
    assert explained(quote_lines(quoted), language)[1] == replaced
    assert explained(order_lines(quoted), language, in_effect=True)[1] == replaced


def test_what_is_in_effect_is_explained_as_done() -> None:
    purchase, trial, upgrade, changed = (
        explained(order_lines(quoted), in_effect=True)
        for quoted in (priced(PURCHASE), priced(TRIAL), priced(UPGRADE), CHANGED_TRIAL)
    )
    assert purchase[0].startswith("You bought 1 seat of Desk Team, billed monthly, for the period from 21")
    assert trial[0] == "You have 3 seats of Wiki Team, on a free trial."
    assert upgrade[0].startswith("You had 10 seats of Desk Team, billed monthly, for €100.00 (net) from 1")
    assert upgrade[3].startswith("You now have 15 seats of Desk Business, billed monthly, for a new period from 21")
    assert changed[0] == (
        "You had 10 seats of Desk Team, on a free trial; you now have 15 seats of Desk Business, on a free trial."
    )


@pytest.mark.parametrize(
    ("language", "has", "changes", "gets", "changes_the_trial"),
    [
        (
            Language.DE,
            "Sie haben 10 Lizenzen Desk Team (monatliche Abrechnung) für 100,00\xa0€ (netto) vom 1.\xa0November\xa02026",
            "Sie wechseln zu 15 Lizenzen Desk Business (monatliche Abrechnung) für einen neuen Zeitraum vom 21.",
            "Sie erhalten 3 Lizenzen Wiki Team (kostenloser Test).",
            "Sie haben 10 Lizenzen Desk Team (kostenloser Test); Sie wechseln zu 15 Lizenzen Desk Business (kostenloser",
        ),
        (
            Language.ES,
            "Tiene 10 licencias de Desk Team (facturación mensual) por 100,00\xa0€ (neto) del 1\xa0de\xa0noviembre",
            "Pasa a tener 15 licencias de Desk Business (facturación mensual) para un nuevo período del 21",
            "Recibe 3 licencias de Wiki Team (prueba gratuita).",
            "Tiene 10 licencias de Desk Team (prueba gratuita); pasa a tener 15 licencias de Desk Business (prueba gratuita).",
        ),
        (
            Language.FR,
            "Vous avez 10 licences Desk Team (facturation mensuelle), pour 100,00\xa0€ (HT) du 1er\xa0novembre",
            "Vous passez à 15 licences Desk Business (facturation mensuelle), pour une nouvelle période du 21",
            "Vous obtenez 3 licences Wiki Team (essai gratuit).",
            "Vous avez 10 licences Desk Team (essai gratuit)\u202f; vous passez à 15 licences Desk Business (essai gratuit).",
        ),
        (
            Language.IT,
            "Ha 10 licenze Desk Team (fatturazione mensile) per 100,00\xa0€ (IVA esclusa) nel periodo 1º\xa0novembre",
            "Passa a 15 licenze Desk Business (fatturazione mensile) per un nuovo periodo (21",
            "Riceve 3 licenze Wiki Team (prova gratuita).",
            "Ha 10 licenze Desk Team (prova gratuita); passa a 15 licenze Desk Business (prova gratuita).",
        ),
    ],
)
def test_what_is_not_in_effect_is_explained_as_yet_to_come_in_every_language(
    language: Language, has: str, changes: str, gets: str, changes_the_trial: str
) -> None:
    upgrade = explained(upgraded(), language)
    assert upgrade[0].startswith(has)
    assert upgrade[3].startswith(changes)
    assert explained(quote_lines(priced(TRIAL)), language)[0] == gets
    assert explained(quote_lines(CHANGED_TRIAL), language)[0].startswith(changes_the_trial)


def test_quote_and_order_are_explained_alike() -> None:
    quoted = priced(UPGRADE)
    assert explained(quote_lines(quoted)) == explained(order_lines(quoted))


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (
            Language.DE,
            "Anteilig ergibt das eine Gutschrift von 33,33\xa0€: 100,00\xa0€ ×\xa0864.000 ÷\xa02.592.000, kaufmännisch",
        ),
        (
            Language.ES,
            "Por prorrateo resulta un abono de 33,33\xa0€: 100,00\xa0€ ×\xa0864.000 ÷\xa02.592.000, con redondeo",
        ),
        (
            Language.FR,
            "Il en résulte, au prorata, un crédit de 33,33\xa0€\xa0: 100,00\xa0€ ×\xa0864\u202f000 ÷\xa02\u202f592\u202f000, arrondi",
        ),
        (
            Language.IT,
            "In proporzione ne risulta un accredito di 33,33\xa0€: 100,00\xa0€ ×\xa0864.000 ÷\xa02.592.000, arrotondato",
        ),
    ],
)
def test_the_credit_is_explained_in_every_language(language: Language, sentence: str) -> None:
    assert explained(upgraded(), language)[2].startswith(sentence)


def test_a_share_that_comes_out_even_is_not_called_rounded() -> None:
    even = upgraded(held={"desk": running(charged_minor=9000, tax_minor=1710)})
    assert explained(even)[2] == "So €30.00 is credited: €90.00 ×\xa0864,000 ÷\xa02,592,000."


def test_days_are_explained_as_days() -> None:
    assert explained(upgraded(granularity=Granularity.DAY))[1] == (
        "Days left when the change takes effect (21\xa0November\xa02026, 00:00\xa0UTC+1): 10 of 30 calendar days of that period,"
        " the day of the change included."
    )


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (Language.EN, ": 1 of 30 calendar days of that period, "),
        (Language.DE, ": 1 von 30 Kalendertagen dieses Zeitraums, "),
        (Language.ES, ": 1 de 30 días naturales de ese período, "),
        (Language.FR, "\xa0: 1 sur 30 jours calendaires de cette période, "),
        (Language.IT, ": 1 su 30 giorni di calendario di quel periodo, "),
    ],
)
def test_a_last_day_is_counted_as_one(language: Language, said: str) -> None:
    last = upgraded(granularity=Granularity.DAY, as_of=NOVEMBER.end - timedelta(hours=1))
    assert said in explained(last, language)[1]


def test_days_that_are_not_whole_are_called_approximate() -> None:
    later = upgraded(as_of=TEN_DAYS_LEFT + timedelta(seconds=1))
    assert "863,999 of 2,592,000 seconds of that period (about 10 of 30 days)" in explained(later)[1]


def test_fractions_of_a_second_stay_seconds() -> None:
    later = upgraded(as_of=TEN_DAYS_LEFT + timedelta(microseconds=1))
    assert "863,999.999999 of 2,592,000 seconds" in explained(later)[1]


def test_what_cost_nothing_credits_nothing() -> None:
    free = upgraded(held={"desk": running(charged_minor=0, tax_minor=0)})
    assert explained(free)[1] == "As it cost nothing, nothing is credited for the time left."


def test_a_rate_that_has_changed_since_is_told_apart() -> None:
    old = upgraded(held={"desk": running(tax_minor=1600, tax_rate=Decimal("16.000"))})
    assert "less €5.33 on the credit (16%, as it was charged)" in explained(old)[5]


@pytest.mark.parametrize(("vat", "words"), [(REVERSE_CHARGE, "(reverse charge)"), (OUT_OF_SCOPE, "outside the scope")])
def test_no_vat_is_explained_by_its_reason(vat: Any, words: str) -> None:
    said = " ".join(explained(quote_lines(priced(PURCHASE, vat=vat))))
    assert words in said
    assert "No VAT is charged on this period:" in said


@pytest.mark.parametrize(("currency", "unit"), [("JPY", "JP¥1,000"), ("KWD", "KWD\xa01.000")])
def test_amounts_have_the_currencys_decimals(currency: str, unit: str) -> None:
    assert f"1 ×\xa0{unit} =\xa0{unit}" in explained(quote_lines(priced(PURCHASE)), currency=currency)[0]


def test_an_annual_plan_says_so() -> None:
    annual = CartLine(Action.PURCHASE, "desk", "team", 2, Interval.YEAR)
    assert explained(quote_lines(priced(annual)), Language.IT)[0].startswith(
        "Acquista 2 licenze Desk Team (fatturazione annuale), per il periodo 21\xa0novembre\xa02026 – 21\xa0novembre\xa02027"
    )


def test_the_settlement_is_explained() -> None:
    def settled(quoted: Any) -> str:
        return explain_settlement(Wording(Language.EN, "EUR", "UTC"), order_of(quoted))[1]

    assert settled(priced(PURCHASE)) == "€11.90 is due."
    assert settled(priced(PURCHASE, balance_minor=190)) == "Your balance pays €1.90 of it first, so €10.00 is due."
    assert settled(priced(replace(CUT, seats=1))) == (
        "As you get money back, €27.76 is added to your balance, which pays for future orders first."
    )


def test_rounding_up_is_explained() -> None:
    order = order_of(priced(PURCHASE, balance_minor=5, charge_unit_minor=10), currency="KWD")
    assert explain_settlement(Wording(Language.EN, "KWD", "UTC"), order)[1:] == (
        "Your balance pays KWD\xa00.005 of it first, so KWD\xa01.190 is due.",
        "This includes KWD\xa00.005 of rounding up, which is added to your balance.",
    )


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (Language.EN, ("Paid from your balance: €1.90.", "Charged to Visa •••• 4242: €10.00.")),
        (Language.DE, ("Aus Ihrem Guthaben bezahlt: 1,90\xa0€.", "Abgebucht von Visa •••• 4242: 10,00\xa0€.")),
        (Language.FR, ("Payé avec votre solde\xa0: 1,90\xa0€.", "Prélevé sur Visa •••• 4242\xa0: 10,00\xa0€.")),
        (Language.ES, ("Pagado con su saldo (1,90\xa0€).", "Cargado en Visa •••• 4242 (10,00\xa0€).")),
        (Language.IT, ("Pagato con il Suo saldo (1,90\xa0€).", "Addebitato su Visa •••• 4242 (10,00\xa0€).")),
    ],
)
def test_a_completed_orders_settlement_is_told_as_in_its_confirmation(
    language: Language, told: tuple[str, ...]
) -> None:
    order = order_of(priced(PURCHASE, balance_minor=190), status=OrderStatus.COMPLETED)
    assert explain_outcome(Wording(language, "EUR", "UTC"), order, card="Visa •••• 4242")[1:] == told


def test_what_a_completed_order_gave_back_or_did_not_cost_is_not_called_due() -> None:
    w = Wording(Language.EN, "EUR", "UTC")
    gave_back, free = (order_of(priced(line), status=OrderStatus.COMPLETED) for line in (replace(CUT, seats=1), TRIAL))
    assert explain_outcome(w, gave_back, card=None)[1:] == (
        "As you get money back, €27.76 is added to your balance, which pays for future orders first.",
    )
    assert explain_outcome(w, free, card=None)[1:] == ("Nothing due: €0.00.",)


def test_where_money_was_taken_it_says_that_it_is_refunded() -> None:
    order = order_of(priced(PURCHASE), status=OrderStatus.CANCELLED)
    told = explain_outcome(Wording(Language.EN, "EUR", "UTC"), order, card=None, given_back=True)
    assert told[0] == "Your order was cancelled. What was charged is refunded to you."


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (OrderStatus.REJECTED, "Your order could not be carried out. Nothing was charged."),
        (OrderStatus.CANCELLED, "Your order was cancelled. Nothing was charged."),
        (OrderStatus.REFUNDED, "Your order has been refunded."),
    ],
)
def test_of_an_order_of_which_nothing_is_left_nothing_is_due(status: OrderStatus, told: str) -> None:
    order = order_of(priced(PURCHASE, balance_minor=190), status=status)
    assert explain_outcome(Wording(Language.EN, "EUR", "UTC"), order, card="Visa •••• 4242") == (
        told,
        "All lines together: net €10.00 and VAT €1.90 make €11.90.",
    )
