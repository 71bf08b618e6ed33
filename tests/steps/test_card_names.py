"""A card is called as its holder knows it, not by the payment provider's code."""

import pytest

from tasks import display_names
from tests.invoices.documents import one
from tests.support.world import World, purchase


@pytest.mark.parametrize(
    ("brand", "name"),
    [
        ("amex", "American Express •••• 0505"),
        ("cartes_bancaires", "Cartes Bancaires •••• 0505"),
        ("diners", "Diners Club •••• 0505"),
        ("discover", "Discover •••• 0505"),
        ("eftpos_au", "eftpos Australia •••• 0505"),
        ("girocard", "girocard •••• 0505"),
        ("interac", "Interac •••• 0505"),
        ("jcb", "JCB •••• 0505"),
        ("link", "Link •••• 0505"),
        ("mastercard", "Mastercard •••• 0505"),
        ("unionpay", "UnionPay •••• 0505"),
        ("visa", "Visa •••• 0505"),
        ("unknown", "•••• 0505"),
        ("one_of_next_year", "•••• 0505"),
    ],
)
def test_a_card_has_its_brand_s_own_name_or_its_digits_alone(brand: str, name: str) -> None:
    assert display_names.card_name(brand, "0505") == name


@pytest.mark.parametrize(("brand", "name"), [("link", "Link"), ("unknown", None)])
def test_a_method_without_digits_shows_no_dots(brand: str, name: str | None) -> None:
    assert display_names.card_name(brand, "") == name


def test_an_invoice_names_the_card_that_was_charged(world: World) -> None:
    order = world.buy(world.customer(card="pm_card_unionpay"), purchase("desk", "team", seats=10))
    assert one(world, order.id).card == "UnionPay •••• 0005"
