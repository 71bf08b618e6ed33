"""A row that bears no VAT says why: no document reads as if a rate of zero applied."""

from decimal import Decimal

import pytest

from models.accounts import Language
from models.rules.vat import Treatment
from tasks.invoices.page import page
from tests.invoices.documents import lines, one, pdf, text_of
from tests.support.world import YEAR, World, change, purchase, trial

WHY = {
    Language.EN: ("(reverse charge)", "No VAT (outside the scope of EU VAT) on €100.00"),
    Language.DE: ("(Steuerschuldnerschaft des Leistungsempfängers)", "Keine USt. (in der EU nicht steuerbar) auf 100,00 €"),
    Language.FR: ("(autoliquidation)", "Aucune TVA (hors du champ de la TVA de l’UE) sur 100,00 €"),
    Language.ES: ("(inversión del sujeto pasivo)", "Sin IVA (operación no sujeta al IVA de la UE) sobre 100,00 €"),
    Language.IT: ("(inversione contabile)", "Nessuna IVA (operazione non soggetta all'IVA dell'UE) su 100,00 €"),
}  # fmt: skip


@pytest.mark.parametrize("language", Language)
def test_each_language_says_why_there_is_no_vat(world: World, language: Language) -> None:
    eva = world.customer(country="AT", vat_number="ATU13585627", language=language)
    ann = world.customer(country="US", language=language)
    said = [
        text_of(pdf(world, one(world, world.buy(who, purchase("desk", "team", seats=10)).id))).replace("\xa0", " ")
        for who in (eva, ann)
    ]
    reverse_charge, out_of_scope = WHY[language]
    assert reverse_charge in said[0]
    assert out_of_scope in said[1]


def test_a_mixed_document_says_which_of_its_rows_is_under_the_reverse_charge(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=20)
    world.change_account(ada, country="AT", vat_number="ATU13585627")
    document = one(world, world.buy(ada, change("desk", seats=60)).id)
    said = text_of(pdf(world, document))
    assert "60 €10.00 €600.00 0% €0.00" in said
    assert "Reverse charge 60" in said
    assert "VAT 19% (Germany) on −€33.33 −€6.33 VAT 0% (reverse charge) on €600.00 €0.00" in said


def test_what_is_out_of_scope_has_no_rate(world: World) -> None:
    ann = world.customer(country="US")
    said = text_of(pdf(world, one(world, world.buy(ann, purchase("desk", "team", seats=10)).id)))
    assert "Outside the scope of EU VAT 10 €10.00 €100.00 – €0.00" in said
    assert "0%" not in said


@pytest.mark.parametrize("buyer", [{"country": "AT", "vat_number": "ATU13585627"}, {"country": "US"}])
def test_a_trial_beside_what_bears_no_vat_has_no_rate_either(world: World, buyer: dict[str, str]) -> None:
    who = world.customer(**buyer)
    document = one(world, world.buy(who, purchase("desk", "team", seats=10), trial("chat", "team", seats=5)).id)
    (bought, tried) = page(document, lines(world, document)).items
    assert (bought.title, bought.rate) == ("Desk Team", "0%" if "vat_number" in buyer else "–")
    assert (tried.title, tried.net, tried.rate, tried.tax) == ("Chat Team", "€0.00", "–", "€0.00")
    assert not any("VAT" in detail or "everse" in detail for detail in tried.details)


def test_a_trial_beside_what_bears_vat_keeps_its_rate(world: World) -> None:
    document = one(world, world.buy(world.customer(), purchase("desk", "team"), trial("chat", "team")).id)
    assert [item.rate for item in page(document, lines(world, document)).items] == ["19%", "19%"]


@pytest.mark.parametrize(
    ("moves_to", "treatment", "row"),
    [
        ({"country": "AT"}, Treatment.REVERSE_CHARGE, "VAT 0% (reverse charge) on −€66.67 €0.00"),
        ({"country": "US"}, Treatment.OUT_OF_SCOPE, "No VAT (outside the scope of EU VAT) on −€66.67 €0.00"),
    ],
)
def test_a_credit_bears_no_vat_for_the_reason_that_its_charge_did(
    world: World, moves_to: dict[str, str], treatment: Treatment, row: str
) -> None:
    eva = world.customer(vat_number="ATU13585627" if moves_to["country"] == "AT" else None, **moves_to)
    world.buy(eva, purchase("desk", "team", seats=10))
    world.pass_time(days=10)
    world.change_account(eva, country="DE", vat_number=None)
    document = one(world, world.buy(eva, change("desk", seats=60)).id)
    [line] = lines(world, document)
    assert (line.from_tax_rate, line.from_tax_treatment) == (Decimal(0), treatment)
    said = text_of(pdf(world, document))
    assert "VAT 19% on €600.00 €114.00" in said
    assert row in said


def test_a_document_from_before_the_reason_was_kept_says_what_it_said(world: World) -> None:
    eva = world.customer(country="AT", vat_number="ATU13585627")
    world.buy(eva, purchase("desk", "team", seats=10, interval=YEAR))
    document = one(world, world.buy(eva, change("desk", seats=20)).id)
    [line] = lines(world, document)
    line.from_tax_treatment = None
    labels = [row.label for row in page(document, [line]).totals]
    assert "VAT 0% on −€1,000.00" in labels
