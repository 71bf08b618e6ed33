"""A customer who has moved: a credit bears the VAT of the country where it was charged, and the document says which that is."""

from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from sqlalchemy import text

from models.accounts import Language
from models.orders import Order
from models.states import OrderStatus
from tasks.billing import invoicing
from tasks.invoices.page import Page, page
from tasks.policy import VatOutage
from tests.invoices.documents import documents, html, lines, one, pdf, text_of
from tests.support.vat_outage import NUMBER, ask_again, nothing_differs
from tests.support.world import YEAR, Customer, World, change, purchase


def moved(world: World, *, to: str, before: str = "DE", seats: int = 12, **account: Any) -> tuple[Customer, Order]:
    """A consumer has 33 seats for 3,300.00 a year, moves, and at once changes their number."""
    ada = world.customer(country=before, **account)
    world.buy(ada, purchase("desk", "team", seats=33, interval=YEAR))
    world.change_account(ada, country=to)
    return ada, world.buy(ada, change("desk", seats=seats))


def shown(world: World, order: Order) -> Page:
    document = one(world, order.id)
    return page(document, lines(world, document))


def taxes(content: Page) -> list[tuple[str, str]]:
    return [(row.label, row.value) for row in content.totals if "VAT" in row.label]


@pytest.mark.parametrize(
    ("before", "to", "given", "taken", "both"),
    [
        ("DE", "CY", ("19% (Germany)", "−€627.00"), ("19% (Cyprus)", "€228.00"), "−€399.00"),
        ("CY", "DE", ("19% (Cyprus)", "−€627.00"), ("19% (Germany)", "€228.00"), "−€399.00"),
        ("FR", "AT", ("20% (France)", "−€660.00"), ("20% (Austria)", "€240.00"), "−€420.00"),
        ("ES", "RO", ("21% (Spain)", "−€693.00"), ("21% (Romania)", "€252.00"), "−€441.00"),
    ],
)
def test_two_countries_with_one_rate_have_a_row_each(
    world: World, before: str, to: str, given: tuple[str, str], taken: tuple[str, str], both: str
) -> None:
    _, order = moved(world, before=before, to=to)
    assert taxes(shown(world, order)) == [
        (f"VAT {taken[0]} on €1,200.00", taken[1]),
        (f"VAT {given[0]} on −€3,300.00", given[1]),
        ("VAT", both),
    ]
    assert nothing_differs(world)


def test_where_the_rates_differ_too_each_row_names_its_country(world: World) -> None:
    _, order = moved(world, to="AT")
    assert taxes(shown(world, order)) == [
        ("VAT 20% (Austria) on €1,200.00", "€240.00"),
        ("VAT 19% (Germany) on −€3,300.00", "−€627.00"),
        ("VAT", "−€387.00"),
    ]


SAID = [
    (
        Language.EN,
        ("VAT 19% (Cyprus) on €1,200.00", "VAT 19% (Germany) on −€3,300.00"),
        ("VAT at the rate of the customer's country: Cyprus.", "VAT is credited where it was charged: Germany."),
        "€228.00 on the new period (19%, Cyprus), less €627.00 on the credit (19%, Germany, as it was charged)",
    ),
    (
        Language.DE,
        ("USt. 19 % (Zypern) auf 1.200,00 €", "USt. 19 % (Deutschland) auf −3.300,00 €"),
        (
            "USt. zum Steuersatz des Bestimmungslands: Zypern.",
            "Die USt. wird dort gutgeschrieben, wo sie berechnet wurde: Deutschland.",
        ),
        "228,00 € auf den neuen Zeitraum (19 %, Zypern), abzüglich 627,00 € auf die Gutschrift (19 %, Deutschland, wie damals"
        " berechnet)",
    ),
    (
        Language.ES,
        ("IVA 19 % (Chipre) sobre 1.200,00 €", "IVA 19 % (Alemania) sobre −3.300,00 €"),
        ("IVA al tipo del país del cliente: Chipre.", "El IVA se abona donde se cobró: Alemania."),
        "228,00 € por el nuevo período (19 %, Chipre), menos 627,00 € por el abono (19 %, Alemania, como se cobró)",
    ),
    (
        Language.FR,
        ("TVA 19 % (Chypre) sur 1 200,00 €", "TVA 19 % (Allemagne) sur −3 300,00 €"),
        (
            "TVA au taux du pays du client : Chypre.",
            "La TVA est créditée là où elle a été facturée : Allemagne.",
        ),
        "228,00 € sur la nouvelle période (19 %, Chypre), moins 627,00 € sur le crédit (19 %, Allemagne, comme facturé alors)",
    ),
    (
        Language.IT,
        ("IVA 19% (Cipro) su 1.200,00 €", "IVA 19% (Germania) su −3.300,00 €"),
        ("IVA con l'aliquota del Paese del cliente: Cipro.", "L'IVA è accreditata dove è stata addebitata: Germania."),
        "228,00 € sul nuovo periodo (19%, Cipro), meno 627,00 € sull'accredito (19%, Germania, come addebitata allora)",
    ),
]


@pytest.mark.parametrize(("language", "rows", "notes", "arithmetic"), SAID)
def test_each_language_names_the_countries_in_document_and_letter(
    world: World, language: Language, rows: tuple[str, str], notes: tuple[str, str], arithmetic: str
) -> None:
    ada, order = moved(world, to="CY", language=language)
    document = one(world, order.id)
    for said in (text_of(pdf(world, document)), unescape(html(world, document))):
        words = " ".join(said.split())
        assert [each for each in (*rows, *notes, arithmetic) if each not in words] == []
    listed = world.mailbox.listed(f"to:{ada.email}")
    letter = " ".join(world.mailbox.read(listed[0]["ID"])["Text"].split())
    assert [each for each in (*notes, arithmetic) if each not in letter] == []


def test_each_item_says_below_its_title_whose_vat_it_bears(world: World) -> None:
    _, order = moved(world, to="CY")
    charge, credit = shown(world, order).items
    assert (charge.details[-1], charge.rate, charge.tax) == ("VAT 19% (Cyprus)", "19%", "€228.00")
    assert (credit.details[-1], credit.rate, credit.tax) == ("VAT 19% (Germany)", "19%", "−€627.00")


@pytest.mark.parametrize(
    ("to", "number", "row"),
    [
        ("AT", "ATU13585627", "VAT 0% (reverse charge) on €1,200.00"),
        ("US", None, "No VAT (outside the scope of EU VAT) on €1,200.00"),
    ],
)
def test_the_vat_of_a_country_that_the_customer_has_left_is_named_though_the_document_has_no_other(
    world: World, to: str, number: str | None, row: str
) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=33, interval=YEAR))
    world.change_account(ada, country=to, vat_number=number)
    content = shown(world, world.buy(ada, change("desk", seats=12)))
    assert taxes(content)[:2] == [("VAT 19% (Germany) on −€3,300.00", "−€627.00"), (row, "€0.00")]
    assert content.notes[-1] == "VAT is credited where it was charged: Germany."


@pytest.mark.parametrize(
    ("before", "to"), [("DE", "DE"), ("FR", "FR"), ("FR", "MC")], ids=["at home", "abroad", "to the same state"]
)
def test_a_document_with_the_vat_of_one_country_does_not_name_it(world: World, before: str, to: str) -> None:
    _, order = moved(world, before=before, to=to)
    content = shown(world, order)
    rate, tax = ("19%", "−€399.00") if before == "DE" else ("20%", "−€420.00")
    assert taxes(content) == [(f"VAT {rate} on −€2,100.00", tax)]
    assert [item.rate for item in content.items] == [rate, rate]
    assert not any("VAT" in detail for item in content.items for detail in item.details)
    assert not any("credited" in note for note in content.notes)
    assert f"({rate})" in " ".join(content.arithmetic[0].lines)


def test_a_document_from_before_the_country_was_kept_is_as_it_was(world: World) -> None:
    _, order = moved(world, to="CY")
    document = one(world, order.id)
    [line] = lines(world, document)
    assert line.from_tax_country == "DE"
    line.from_tax_country = None
    content = page(document, [line])
    assert taxes(content) == [("VAT 19% on −€2,100.00", "−€399.00")]
    assert content.notes == ("VAT at the rate of the customer's country: Cyprus.",)


def test_what_one_country_charged_and_credits_is_summed_also_beside_anothers(world: World) -> None:
    """Chat is bought after the move, so its credit is of the country that its charge is of."""
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=33, interval=YEAR))
    world.change_account(ada, country="CY")
    world.buy(ada, purchase("chat", "team", seats=10, interval=YEAR))
    content = shown(world, world.buy(ada, change("chat", seats=5), change("desk", seats=12)))
    assert [label for label, _ in taxes(content)] == [
        "VAT 19% (Cyprus) on €700.00",
        "VAT 19% (Germany) on −€3,300.00",
        "VAT",
    ]
    assert content.notes[-1] == "VAT is credited where it was charged: Cyprus and Germany."


def test_a_credit_note_that_takes_such_a_document_back_names_the_same_countries(world: World) -> None:
    _, order = moved(world, to="CY", seats=40)
    with world.begin() as session:
        credit = invoicing.issue_credit_note(session, session.get_one(Order, order.id, with_for_update=True))
    assert credit is not None
    assert taxes(page(credit, lines(world, credit))) == [
        ("VAT 19% (Cyprus) on −€4,000.00", "−€760.00"),
        ("VAT 19% (Germany) on €3,300.00", "€627.00"),
        ("VAT", "−€133.00"),
    ]


def test_what_corrects_a_document_from_before_the_country_was_kept_names_it(world: World) -> None:
    number = "CY10259033P"
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=33, interval=YEAR))
    world.change_account(ada, country="CY", vat_number=number)
    world.policy(vat_outage=VatOutage.PROVISIONAL)
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(ada, change("desk", seats=12))
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))  # past the trigger that freezes documents
        session.execute(text("update invoice_lines set from_tax_country = null"))
    world.vies.http.delete("/_control/faults").raise_for_status()
    world.vies.register(number, status="invalid")
    ask_again(world)
    told = {each.number: taxes(page(each, lines(world, each))) for each in documents(world, order.id)}
    assert told == {
        "CN-2026-000001": [
            ("VAT 19% on −€3,300.00", "−€627.00"),
            ("VAT 0% (reverse charge) on €1,200.00", "€0.00"),
            ("VAT", "−€627.00"),
        ],
        "INV-2026-000002": [
            ("VAT 19% (Germany) on €3,300.00", "€627.00"),
            ("VAT 0% (reverse charge) on −€1,200.00", "€0.00"),
            ("VAT", "€627.00"),
        ],
        "CN-2026-000002": [
            ("VAT 19% (Cyprus) on €1,200.00", "€228.00"),
            ("VAT 19% (Germany) on −€3,300.00", "−€627.00"),
            ("VAT", "−€399.00"),
        ],
    }
    assert nothing_differs(world)


def test_vat_that_is_given_back_is_of_the_country_that_charged_it_and_not_of_the_one_before(world: World) -> None:
    world.policy(vat_outage=VatOutage.CHARGE_VAT)
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10, interval=YEAR))
    world.change_account(ada, country="AT", vat_number=NUMBER)
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(ada, change("desk", seats=20))
    assert order.status is OrderStatus.AWAITING_CONFIRMATION
    world.confirm(order.id)
    order = world.run(order.id)
    world.vies.http.delete("/_control/faults").raise_for_status()
    ask_again(world)
    first, credit = documents(world, order.id)
    assert [line.from_tax_country for line in lines(world, first)] == ["DE"]
    [line] = lines(world, credit)
    assert (line.from_tax_country, line.from_tax_rate, line.from_tax_treatment) == (
        "AT",
        Decimal(20),
        "destination_rate",
    )
    assert taxes(page(credit, [line]))[0] == ("VAT 20% on −€2,000.00", "−€400.00")
    assert nothing_differs(world)
