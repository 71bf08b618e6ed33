"""VAT that was charged although a number was given, while the registry could not confirm it: it goes back once the number is confirmed."""

import re
from decimal import Decimal
from html import unescape

import pytest

from models.accounts import Language
from models.rules.period import Interval
from models.subscriptions import SubscriptionPeriod
from tasks.billing.invoice_lines import copy_of
from tasks.invoices.as_pdf import as_pdf
from tasks.invoices.page import page
from tasks.policy import VatOutage
from tests.invoices.documents import documents, html, lines, pdf, summed_up, text_of
from tests.support.vat_outage import NUMBER, ask_again, during_outage, follow_up, nothing_differs, turns_out_invalid
from tests.support.world import World, change


def test_vat_charged_in_an_outage_becomes_balance_once_the_number_is_confirmed(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    assert (order.vat_set_aside, order.tax_minor, world.charged(eva)) == (True, 20_00, [120_00])
    ask_again(world)
    ask_again(world, minutes=2000)
    first, credit = documents(world, order.id)
    assert summed_up(credit) == ("CN-2026-000001", 0, -20_00, -20_00)
    assert (credit.corrects_id, credit.buyer["vat_number"], credit.to_balance_minor) == (first.id, NUMBER, 20_00)
    assert world.balance(eva) == 20_00
    assert world.mails(eva)[2:] == [f"The VAT of order {order.number} is added to your balance"]
    assert "Reverse charge" in text_of(pdf(world, credit))
    (period,) = world.rows(SubscriptionPeriod)
    assert (period.tax_minor, period.tax_rate, period.tax_treatment) == (0, Decimal(0), "reverse_charge")
    assert nothing_differs(world)


VAT_GIVEN_BACK = [
    (
        Language.EN,
        "VAT 20% on −€100.00 −€20.00 VAT 0% (reverse charge) on €100.00 €0.00 VAT −€20.00",
    ),
    (
        Language.DE,
        "USt. 20 % auf −100,00 € −20,00 € USt. 0 % (Steuerschuldnerschaft des Leistungsempfängers) auf 100,00 € 0,00 €"
        " USt. −20,00 €",
    ),
    (
        Language.ES,
        "IVA 20 % sobre −100,00 € −20,00 € IVA 0 % (inversión del sujeto pasivo) sobre 100,00 € 0,00 € IVA −20,00 €",
    ),
    (
        Language.FR,
        "TVA 20 % sur −100,00 € −20,00 € TVA 0 % (autoliquidation) sur 100,00 € 0,00 € TVA −20,00 €",
    ),
    (
        Language.IT,
        "IVA 20% su −100,00 € −20,00 € IVA 0% (inversione contabile) su 100,00 € 0,00 € IVA −20,00 €",
    ),
]


@pytest.mark.parametrize(("language", "sums"), VAT_GIVEN_BACK)
def test_a_credit_note_for_vat_names_the_net_that_leaves_its_rate_and_comes_under_the_reverse_charge(
    world: World, language: Language, sums: str
) -> None:
    """Directive 2006/112/EC, article 226 (8): the taxable amount per rate."""
    _, order = during_outage(world, VatOutage.CHARGE_VAT, language=language)
    ask_again(world, minutes=2000)
    credit = documents(world, order.id)[-1]
    assert summed_up(credit)[1:] == (0, -20_00, -20_00)
    marked_up = unescape(re.sub("<[^>]+>", " ", html(world, credit)))
    for said in (text_of(pdf(world, credit)), marked_up):
        assert sums in " ".join(said.split())


def test_a_credit_note_for_vat_shows_the_line_at_both_rates(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    ask_again(world, minutes=2000)
    said = text_of(pdf(world, documents(world, order.id)[-1]))
    assert "Desk Team VAT refunded 1 November 2026 – 1 December 2026 10 −€100.00 20% −€20.00" in said
    assert "Desk Team Reverse charge 1 November 2026 – 1 December 2026 10 €100.00 0% €0.00 Net total €0.00" in said


def test_a_credit_note_for_vat_issued_when_no_net_was_kept_with_it_reads_as_it_was_issued(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    ask_again(world, minutes=2000)
    credit = documents(world, order.id)[-1]
    kept = [copy_of(line, charge_minor=0, unused_minor=0, tax_base_minor=0) for line in lines(world, credit)]
    said = text_of(as_pdf(page(credit, kept)))
    assert "10 €0.00 20% −€20.00 Net total €0.00 VAT 20% on €0.00 −€20.00 Total −€20.00" in said
    assert said.count("Desk Team") == 1


def test_vat_that_a_change_has_credited_already_is_not_credited_twice(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    world.pass_time(days=15)
    world.buy(eva, change("desk", seats=10, interval=Interval.YEAR))
    ask_again(world)
    credit = documents(world, order.id)[-1]
    assert summed_up(credit)[1:] == (0, -10_00, -10_00)
    assert "VAT 20% on −€50.00 −€10.00 VAT 0% (reverse charge) on €50.00 €0.00" in text_of(pdf(world, credit))
    assert nothing_differs(world)


def test_where_a_change_has_credited_all_the_vat_nothing_is_left_to_credit(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    world.buy(eva, change("desk", interval=Interval.YEAR))
    ask_again(world)
    assert follow_up(world, order).outcome == "confirmed"
    assert (len(documents(world, order.id)), world.balance(eva)) == (1, 0)
    assert nothing_differs(world)


def test_vat_charged_in_an_outage_stands_where_the_number_is_invalid(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    turns_out_invalid(world)
    assert follow_up(world, order).outcome == "confirmed"
    assert len(documents(world, order.id)) == 1
    assert world.balance(eva) == 0
