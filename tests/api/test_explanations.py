"""Why this amount, over HTTP."""

from datetime import timedelta

import pytest

from models.accounts import Language
from models.states import BACK, OrderStatus, Step
from tasks.billing import receivables
from tasks.letters.wording import Wording
from tasks.operating import support_refund
from tests.api.conftest import Api
from tests.support.world import Customer, World, change, purchase, trial


def test_a_change_is_explained_to_the_cent(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=10)
    quote = world.quote(ada, change("desk", seats=12))
    told = api.get(f"/v1/quotes/{quote.id}/explanation").json()
    assert told["language"] == "en"
    (line,) = told["lines"]
    text = " ".join(line["sentences"])
    for figure in ("€100.00", "€66.67", "12 ×\xa0€10.00 =\xa0€120.00", "€120.00 −\xa0€66.67 =\xa0€53.33"):
        assert figure in text
    assert told["settlement"][-1] == "€63.46 is due."


def test_each_line_is_explained_under_its_plan(world: World, api: Api, ada: Customer) -> None:
    quote = world.quote(ada, purchase("desk", "team", seats=2), trial("chat", seats=3))
    lines = api.get(f"/v1/quotes/{quote.id}/explanation").json()["lines"]
    assert [(line["position"], line["title"]) for line in lines] == [(0, "Desk Team"), (1, "Chat Team")]


def test_an_order_is_explained_in_the_customers_language(world: World, api: Api, ada: Customer) -> None:
    world.change_account(ada, language="de")
    order = world.buy(ada, purchase("desk", "team", seats=10))
    told = api.get(f"/v1/orders/{order.id}/explanation").json()
    assert told["language"] == "de"
    assert "119,00\xa0€" in told["settlement"][-1]


def test_an_order_is_explained_in_the_language_that_it_was_placed_in(world: World, api: Api, ada: Customer) -> None:
    order = world.buy(ada, purchase("desk", "team", seats=10))
    before = api.get(f"/v1/orders/{order.id}/explanation").json()
    world.change_account(ada, language="de")
    assert api.get(f"/v1/orders/{order.id}/explanation").json() == before
    assert (before["language"], before["settlement"][-1]) == ("en", "Charged to Visa •••• 4242: €119.00.")


def first_words(api: Api, path: str) -> list[list[str]]:
    """How each sentence of each line that names seats begins, up to their number."""
    lines = api.get(f"/v1/{path}/explanation").json()["lines"]
    return [[said.split(" seats of ")[0] for said in line["sentences"] if " seats of " in said] for line in lines]


def test_a_quote_is_explained_as_what_is_to_come_and_a_completed_order_as_done(
    world: World, api: Api, ada: Customer
) -> None:
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=10)
    quote = world.quote(ada, change("desk", seats=12), purchase("wiki", seats=2), trial("chat", seats=3))
    order_id = world.place_quote(ada, quote.id)
    to_come = [["You have 10", "You change to 12"], ["You buy 2"], ["You get 3"]]
    assert first_words(api, f"orders/{order_id}") == to_come
    world.run(order_id)
    done = [["You had 10", "You now have 12"], ["You bought 2"], ["You have 3"]]
    assert first_words(api, f"orders/{order_id}") == done
    assert first_words(api, f"quotes/{quote.id}") == to_come


def test_a_purchase_that_support_has_refunded_was_bought(world: World, api: Api, ada: Customer) -> None:
    order = world.buy(ada, purchase("desk", "team", seats=10))
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)
    assert world.run(order.id).status is OrderStatus.REFUNDED
    assert first_words(api, f"orders/{order.id}") == [["You bought 10"]]


def test_a_purchase_that_never_came_about_was_not_bought(world: World, api: Api) -> None:
    bob = world.customer(card="pm_card_chargeCustomerFail")
    api.use(bob)
    order_id = world.place(bob, purchase("desk", "team", seats=10))
    world.run(order_id)
    world.cancel(order_id)
    assert first_words(api, f"orders/{order_id}") == [["You buy 10"]]


def settled(api: Api, path: str) -> list[str]:
    settlement: list[str] = api.get(f"/v1/{path}/explanation").json()["settlement"]
    return settlement


SUMMED = "All lines together: net €100.00 and VAT €19.00 make €119.00."


def test_what_an_order_costs_is_due_until_it_is_completed_and_charged_then(
    world: World, api: Api, ada: Customer
) -> None:
    quote = world.quote(ada, purchase("desk", "team", seats=10))
    order_id = world.place_quote(ada, quote.id)
    assert settled(api, f"orders/{order_id}") == [SUMMED, "€119.00 is due."]
    world.run(order_id)
    assert settled(api, f"orders/{order_id}") == [SUMMED, "Charged to Visa •••• 4242: €119.00."]
    assert settled(api, f"quotes/{quote.id}") == [SUMMED, "€119.00 is due."]


def test_what_a_completed_order_took_from_the_balance_was_paid_from_it(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, purchase("desk", "team", seats=10))
    world.buy(ada, change("desk", seats=5))
    order = world.buy(ada, purchase("wiki", seats=10))
    paid = settled(api, f"orders/{order.id}")[1:]
    assert paid == ["Paid from your balance: €59.50.", "Charged to Visa •••• 4242: €59.50."]


def test_a_completed_order_without_a_card_is_payable_by_bank_transfer(world: World, api: Api) -> None:
    world.policy(invoice_on_vat=True)
    bob = world.customer(card=None, vat_number="DE136695976")
    api.use(bob)
    order = world.buy(bob, purchase("desk", "team", seats=10))
    day = Wording(Language.EN, "EUR", "UTC").date(world.time + timedelta(days=30))
    assert settled(api, f"orders/{order.id}") == [SUMMED, f"Payable by bank transfer, due date {day}: €119.00."]


def test_what_was_paid_by_bank_transfer_is_not_asked_for_any_more(world: World, api: Api) -> None:
    world.policy(invoice_on_vat=True)
    bob = world.customer(card=None, vat_number="DE136695976")
    api.use(bob)
    order = world.buy(bob, purchase("desk", "team", seats=10))
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000001", on=world.time, by="ops")
    assert settled(api, f"orders/{order.id}") == [SUMMED, "Paid by bank transfer: €119.00."]


@pytest.mark.parametrize("parked", [False, True], ids=["at work", "parked"])
@pytest.mark.parametrize(
    "step", [Step.ACTIVATE_SUBSCRIPTION, Step.SEND_CONFIRMATION_EMAIL, Step.PROMPT_SEAT_ASSIGNMENT]
)
def test_what_was_charged_is_not_asked_for_though_the_order_is_not_completed_yet(
    world: World, api: Api, ada: Customer, step: Step, parked: bool
) -> None:
    order_id = world.place(ada, purchase("desk", "team", seats=10))
    assert world.run(order_id, until=step).next_step is step
    if parked:
        world.park(order_id)
    assert settled(api, f"orders/{order_id}") == [SUMMED, "Charged to Visa •••• 4242: €119.00."]


def test_an_order_that_is_parked_before_its_charge_says_what_is_due(world: World, api: Api, ada: Customer) -> None:
    order_id = world.place(ada, purchase("desk", "team", seats=10))
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.park(order_id)
    assert settled(api, f"orders/{order_id}") == [SUMMED, "€119.00 is due."]


def test_what_was_paid_by_bank_transfer_is_not_asked_for_before_the_order_is_completed(world: World, api: Api) -> None:
    world.policy(invoice_on_vat=True)
    bob = world.customer(card=None, vat_number="DE136695976")
    api.use(bob)
    order_id = world.place(bob, purchase("desk", "team", seats=10))
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000001", on=world.time, by="ops")
    assert settled(api, f"orders/{order_id}") == [SUMMED, "Paid by bank transfer: €119.00."]


def test_nothing_is_asked_for_while_a_charge_is_refunded(world: World, api: Api, ada: Customer) -> None:
    order_id = world.buy(ada, purchase("desk", "team", seats=10)).id
    with world.begin() as session:
        support_refund.refund(session, order_id, by="ops", why="asked", now=world.time)
    for step in BACK:
        assert world.run(order_id, until=step).next_step is step
        assert settled(api, f"orders/{order_id}") == ["Your order is being processed.", SUMMED]


def test_an_order_that_came_to_nothing_says_so_and_that_nothing_is_due(world: World, api: Api, ada: Customer) -> None:
    bob = world.customer(card="pm_card_chargeCustomerFail")
    cancelled = world.place(bob, purchase("desk", "team", seats=10))
    world.run(cancelled)
    world.cancel(cancelled)
    api.use(bob)
    assert settled(api, f"orders/{cancelled}") == ["Your order was cancelled. Nothing was charged.", SUMMED]
    refunded = world.buy(ada, purchase("desk", "team", seats=10)).id
    with world.begin() as session:
        support_refund.refund(session, refunded, by="ops", why="asked", now=world.time)
    world.run(refunded)
    api.use(ada)
    assert settled(api, f"orders/{refunded}") == ["Your order has been refunded.", SUMMED]


def test_a_quote_is_explained_in_the_time_zone_that_it_was_priced_in(world: World, api: Api, ada: Customer) -> None:
    world.change_account(ada, timezone="Europe/Berlin")
    quote = world.quote(ada, trial())
    before = api.get(f"/v1/quotes/{quote.id}/explanation").json()
    assert "UTC+1" in " ".join(before["lines"][0]["sentences"])
    world.change_account(ada, timezone="Asia/Tokyo")
    assert api.get(f"/v1/quotes/{quote.id}/explanation").json() == before


def test_what_belongs_to_another_account_is_not_explained(world: World, api: Api, ada: Customer) -> None:
    bob = world.customer()
    order = world.buy(bob, purchase("desk"))
    assert api.get(f"/v1/orders/{order.id}/explanation").status_code == 404
    assert api.get(f"/v1/quotes/{order.quote_id}/explanation").status_code == 404


def test_the_vat_of_two_countries_is_explained_as_such_before_and_after_the_order(
    world: World, api: Api, ada: Customer
) -> None:
    world.buy(ada, purchase("desk", "team", seats=10))
    world.change_account(ada, country="CY")
    quote = world.quote(ada, change("desk", seats=5))
    order = world.run(world.place_quote(ada, quote.id))
    for path in (f"quotes/{quote.id}", f"orders/{order.id}"):
        (line,) = api.get(f"/v1/{path}/explanation").json()["lines"]
        assert line["sentences"][-2] == (
            "VAT: €9.50 on the new period (19%, Cyprus), less €19.00 on the credit (19%, Germany, as it was charged), each"
            " rounded half up, makes −€9.50."
        )
