"""The credit note of a refunded order says where the money went: with the total, what it names makes zero."""

import pytest

from models.accounts import Language
from models.orders import Order
from models.states import OrderStatus
from tasks.billing import receivables
from tasks.operating import outside_refunds, support_refund
from tests.invoices.documents import documents, pdf, text_of
from tests.support.vat_outage import during_outage, nothing_differs, turns_out_invalid
from tests.support.world import World, purchase


def refunded(world: World, order: Order) -> str:
    """What the credit note says after its total."""
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)
    assert world.run(order.id).status is OrderStatus.REFUNDED
    assert nothing_differs(world)
    return settled(world, order)


def settled(world: World, order: Order) -> str:
    said = text_of(pdf(world, documents(world, order.id)[-1])).replace("\xa0", " ")
    return said.split("Total ")[1].split(" Prorata GmbH")[0].split(" Reverse charge:")[0]


@pytest.mark.parametrize(
    ("language", "to_card", "to_balance"),
    [
        (Language.EN, "Refunded to Visa •••• 4242 €100.00", "Added to your balance €19.00"),
        (Language.DE, "Erstattet auf Visa •••• 4242 100,00 €", "Ihrem Guthaben gutgeschrieben 19,00 €"),
        (Language.FR, "Remboursé sur Visa •••• 4242 100,00 €", "Ajouté à votre solde 19,00 €"),
        (Language.ES, "Reembolsado en Visa •••• 4242 100,00 €", "Añadido a su saldo 19,00 €"),
        (Language.IT, "Rimborsato su Visa •••• 4242 100,00 €", "Aggiunto al Suo saldo 19,00 €"),
    ],
)
def test_the_credit_note_of_a_refund_names_the_card_and_the_balance(
    world: World, language: Language, to_card: str, to_balance: str
) -> None:
    ada = world.customer(language=language)
    world.grant(ada, 19_00)
    order = world.buy(ada, purchase("desk", "team", seats=10))
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)
    world.run(order.id)
    said = text_of(pdf(world, documents(world, order.id)[-1])).replace("\xa0", " ")
    assert f"{to_card} {to_balance}" in said


def test_what_the_charge_was_rounded_up_by_comes_off_the_balance_again(world: World) -> None:
    ada = world.customer(country="KW", currency="KWD", timezone="Asia/Kuwait")
    world.grant(ada, 3)
    order = world.buy(ada, purchase(seats=1))
    assert (order.due_minor, order.to_balance_minor) == (10_000, 3)
    assert refunded(world, order).startswith(
        "−KWD 10.000 Refunded to Visa •••• 4242 KWD 10.000 Added to your balance KWD 0.003 "
        "Taken from your balance: what your payment was rounded up by −KWD 0.003"
    )


def test_money_that_went_back_in_another_way_is_not_said_to_be_on_the_card(world: World) -> None:
    order = world.buy(world.customer(), purchase("desk", "team", seats=10))
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)
    world.park(order.id)
    outside_refunds.settle(order.id, by="ops", why="by transfer")
    world.run(order.id)
    assert settled(world, order) == "−€119.00 Refunded in another way, not to your card €119.00"


@pytest.mark.parametrize(
    ("paid", "row"),
    [(True, "Added to your balance €20.00"), (False, "Not paid yet, and no longer due €20.00")],
)
def test_vat_that_was_owed_later_was_paid_or_is_no_longer_due(world: World, paid: bool, row: str) -> None:
    _, order = during_outage(world)
    turns_out_invalid(world)
    if paid:
        with world.begin() as session:
            receivables.mark_paid(session, documents(world, order.id)[-1].number, on=world.time, by="ops")
    assert refunded(world, order).startswith(f"−€120.00 Refunded to Visa •••• 4242 €100.00 {row}")


@pytest.mark.parametrize(
    ("language", "row"),
    [
        (Language.EN, "Not paid yet, and no longer due €20.00"),
        (Language.DE, "Noch nicht bezahlt und nicht mehr fällig 20,00 €"),
        (Language.FR, "Non réglé et n’étant plus dû 20,00 €"),
        (Language.ES, "Aún no pagado y ya no exigible 20,00 €"),
        (Language.IT, "Non ancora pagato e non più dovuto 20,00 €"),
    ],
)
def test_what_is_no_longer_due_is_called_so_in_every_language(world: World, language: Language, row: str) -> None:
    _, order = during_outage(world, language=language)
    turns_out_invalid(world)
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)
    world.run(order.id)
    assert row in text_of(pdf(world, documents(world, order.id)[-1])).replace("\xa0", " ")


def test_a_credit_note_from_before_this_was_kept_says_what_it_said(world: World) -> None:
    order = world.buy(world.customer(), purchase("desk", "team", seats=10))
    refunded(world, order)
    old = documents(world, order.id)[-1]
    old.paid_before_minor = 0
    assert text_of(pdf(world, old)).split("Total ")[1].startswith("−€119.00 Prorata GmbH")
