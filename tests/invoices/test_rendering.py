"""What customers see of a document: the law's contents, their language, the same bytes every time."""

import re
from dataclasses import replace
from html import unescape

import pytest

from models.accounts import Language
from models.rules.proration import Granularity
from tests.invoices.documents import attached, documents, html, one, pdf, text_of
from tests.support.vat_outage import NUMBER, turns_out_invalid
from tests.support.world import SELLER, YEAR, World, change, purchase, trial


def test_the_confirmation_brings_the_invoice(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase("desk", "team", seats=10))
    ((name, content),) = attached(world, ada, "confirmed")
    assert name == "INV-2026-000001.pdf"
    assert content == pdf(world, one(world, order.id))
    said = text_of(content)
    assert "Invoice INV-2026-000001" in said
    assert "VAT 19% on €100.00 €19.00 Total €119.00 Charged to Visa •••• 4242 €119.00" in said


def test_a_trial_brings_no_document(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial())
    assert attached(world, ada, "trial") == []


def test_the_same_document_is_the_same_bytes(world: World) -> None:
    document = one(world, world.buy(world.customer(), purchase()).id)
    assert pdf(world, document) == pdf(world, document)
    assert html(world, document) == html(world, document)


@pytest.mark.parametrize(
    ("language", "title", "note", "total"),
    [
        (Language.EN, "Invoice", "Reverse charge: the recipient is liable for the VAT", "€1,000.00"),
        (Language.DE, "Rechnung", "Steuerschuldnerschaft des Leistungsempfängers", "1.000,00 €"),
        (Language.FR, "Facture", "Autoliquidation", "1 000,00 €"),
        (Language.ES, "Factura", "Inversión del sujeto pasivo", "1.000,00 €"),
        (Language.IT, "Fattura", "Inversione contabile", "1.000,00 €"),
    ],
)
def test_reverse_charge_is_said_in_the_words_of_each_language(
    world: World, language: Language, title: str, note: str, total: str
) -> None:
    eva = world.customer(country="AT", vat_number="ATU13585627", language=language)
    document = one(world, world.buy(eva, purchase("desk", "team", seats=10, interval=YEAR)).id)
    page = " ".join(unescape(html(world, document)).replace("\u202f", " ").replace("\xa0", " ").split())
    for said in (text_of(pdf(world, document)).replace("\xa0", " "), page):
        assert title in said
        assert note in said
        assert total in said
        assert "ATU13585627" in said
        assert "DE136695976" in said


def test_an_invoice_to_be_paid_says_by_when_and_under_which_number(world: World) -> None:
    bank = "Musterbank, IBAN DE02 1203 0000 0000 2020 51"
    world.policy(invoice_on_vat=True, seller=replace(SELLER, bank_account=bank))
    eva = world.customer(card=None, country="AT", vat_number="ATU13585627")
    said = text_of(pdf(world, one(world, world.buy(eva, purchase()).id)))
    assert "Please pay €100.00 by 1 December 2026 by bank transfer, quoting INV-2026-000001." in said
    assert f"Our bank account: {bank}." in said


def test_a_change_shows_charge_and_credit_each_with_its_arithmetic(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    said = text_of(pdf(world, one(world, world.buy(ada, change("desk", tier="business", seats=4)).id)))
    assert "Desk Business billed monthly 16 November 2026 – 16 December 2026 4 €20.00 €80.00 19% €15.20" in said
    assert "Credit for unused time Desk Team, billed monthly 16 November 2026 – 1 December 2026" in said
    assert "1,296,000 of 2,592,000 seconds of €100.00 charged on INV-2026-000001 10 −€50.00 19% −€9.50" in said
    assert "€100.00 × 1,296,000 ÷ 2,592,000" in said


def test_only_what_is_prorated_is_explained_below_the_table(world: World) -> None:
    ada = world.customer()
    first = text_of(pdf(world, one(world, world.buy(ada, purchase("desk", "team", seats=10)).id)))
    assert "How the amounts are calculated" not in first
    assert "Desk Team billed monthly 1 November 2026 – 1 December 2026 10 €10.00 €100.00 19% €19.00" in first
    world.pass_time(days=15)
    order = world.buy(ada, purchase("wiki"), trial("chat"), change("desk", seats=20))
    said = text_of(pdf(world, one(world, order.id)))
    explained = said.split("How the amounts are calculated")[1]
    assert explained.startswith(" Desk Team You had 10 seats of Desk Team")
    assert "You buy" not in explained
    assert "trial" not in explained


def test_a_credit_counted_in_days_shows_days(world: World) -> None:
    world.policy(granularity=Granularity.DAY)
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=10)
    said = text_of(pdf(world, one(world, world.buy(ada, change("desk", seats=20)).id)))
    assert (
        "11 November 2026 – 1 December 2026 20 of 30 days of €100.00 charged on INV-2026-000001 10 −€66.67 19% −€12.67"
        in said
    )
    assert "€100.00 × 20 ÷ 30" in said


def test_a_name_in_another_alphabet_or_with_markup_is_shown_as_it_is(world: World) -> None:
    name = "Ελλάς <b>& Żółć</b> Юг"
    document = one(world, world.buy(world.customer(name=name), purchase()).id)
    assert name in text_of(pdf(world, document))
    assert "Ελλάς &lt;b&gt;&amp; Żółć&lt;/b&gt; Юг" in html(world, document)


def test_a_long_invoice_repeats_its_head_and_numbers_its_pages(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk"), purchase("chat"), purchase("wiki"))
    world.pass_time(days=10)
    order = world.buy(ada, change("desk", seats=20), change("chat", seats=20), change("wiki", seats=20))
    said = text_of(pdf(world, one(world, order.id)))
    assert "Page 1 of 2" in said
    assert "Page 2 of 2" in said


def test_a_correction_names_the_credited_time_too_though_it_leaves_out_the_arithmetic(world: World) -> None:
    eva = world.customer(country="AT", vat_number=NUMBER)
    world.buy(eva, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(eva, change("desk", seats=20))
    world.vies.http.delete("/_control/faults").raise_for_status()
    turns_out_invalid(world)
    _, cancels, replaces = documents(world, order.id)
    for document in (cancels, replaces):
        said = text_of(pdf(world, document))
        assert "How the amounts are calculated" not in said
        assert "Desk Team, billed monthly 16 November 2026 – 1 December 2026 1,296,000 of 2,592,000 seconds" in said


@pytest.mark.parametrize(
    ("language", "column"),
    [
        (Language.EN, "Price per seat (net)"),
        (Language.DE, "Nettopreis je Lizenz"),
        (Language.FR, "Prix HT par licence"),
        (Language.ES, "Precio neto por licencia"),
        (Language.IT, "Prezzo per licenza (IVA esclusa)"),
    ],
)
def test_the_unit_price_is_said_to_be_exclusive_of_vat(world: World, language: Language, column: str) -> None:
    """Directive 2006/112/EC, article 226 (8)."""
    document = one(world, world.buy(world.customer(language=language), purchase()).id)
    assert column in text_of(pdf(world, document))
    assert column in html(world, document)


def test_a_spanish_document_calls_its_net_total_what_the_law_calls_it(world: World) -> None:
    """Real Decreto 1619/2012, article 6: base imponible. A row is an amount of it, which may differ from what is taxed."""
    said = text_of(pdf(world, one(world, world.buy(world.customer(language=Language.ES), purchase()).id)))
    assert "Base imponible 100,00" in said
    assert " Neto Tipo de IVA " in said


def test_the_credit_note_of_a_downgrade_names_each_invoice_that_it_corrects(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.buy(ada, purchase("chat", "team", seats=10))
    world.pass_time(days=15)
    said = text_of(pdf(world, one(world, world.buy(ada, change("desk", seats=1), change("chat", seats=1)).id)))
    assert "Credit note CN-2026-000001" in said
    assert "Corrects INV-2026-000001, INV-2026-000002" in said


def test_an_invoice_that_credits_something_corrects_nothing(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    said = text_of(pdf(world, one(world, world.buy(ada, change("desk", seats=20)).id)))
    assert "charged on INV-2026-000001" in said
    assert "Corrects" not in said


def test_the_page_can_be_walked_by_its_headings_and_rows_and_its_table_scrolled_by_keyboard(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    page = html(world, one(world, world.buy(ada, change("desk", seats=20)).id))
    assert re.findall(r"<(h\d)>", page) == ["h1", "h2", "h2"]
    rows = page[page.index("<tbody>") : page.index("</tbody>")]
    assert re.findall(r"<tr>\s*<(t.+?)>(.+?)<", rows) == [
        ('th scope="row"', "Desk Team"),
        ('th scope="row"', "Credit for unused time"),
    ]
    assert '<div class="scroll" tabindex="0" role="region" aria-label="Invoice INV-2026-000002">' in page
    assert "tr { break-inside: avoid; }" in page


def test_the_sellers_legal_notice_stands_at_the_foot_as_it_was_when_the_document_was_issued(world: World) -> None:
    ada = world.customer(language=Language.DE)
    without = one(world, world.buy(ada, purchase("desk")).id)
    notice = "Amtsgericht Berlin HRB 1234, Geschäftsführerin: Eva Muster <&>"
    world.policy(seller=replace(SELLER, legal_notice=notice.replace(", ", ",\n")))
    having = one(world, world.buy(ada, purchase("chat")).id)
    world.policy(seller=SELLER)
    assert notice in text_of(pdf(world, having))
    assert "<footer>Amtsgericht Berlin HRB 1234, Geschäftsführerin: Eva Muster &lt;&amp;&gt;</footer>" in html(
        world, having
    )
    assert "Amtsgericht" not in text_of(pdf(world, without))
    assert "<footer>" not in html(world, without)
