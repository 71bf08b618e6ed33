"""Why this amount, over HTTP."""

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


def test_an_order_is_explained_in_the_customers_language(world: World, api: Api, ada: Customer) -> None:
    world.change_account(ada, language="de")
    order = world.buy(ada, purchase("desk", "team", seats=10))
    told = api.get(f"/v1/orders/{order.id}/explanation").json()
    assert told["language"] == "de"
    assert "119,00\xa0€" in told["settlement"][-1]


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
