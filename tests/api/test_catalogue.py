"""The catalogue over HTTP: what a shop may show of it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from models.accounts import Language
from models.catalogue import CatalogueVersion, Price, Product, Tier
from models.rules.period import Interval
from tests.api.conftest import Api, problem, purchase
from tests.support.world import Customer, World


def product(api: Api, code: str, **asked: str) -> dict[str, Any]:
    [found] = [each for each in api.get("/v1/catalogue", params=asked).json()["products"] if each["code"] == code]
    return dict(found)


def prices(tier: dict[str, Any]) -> list[tuple[str, int, str]]:
    return [(each["interval"], each["unit_price"]["minor"], each["unit_price"]["text"]) for each in tier["prices"]]


def test_products_come_with_their_trials_and_with_tiers_from_the_lowest_up(api: Api, ada: Customer) -> None:
    shown = api.get("/v1/catalogue").json()
    assert (shown["version"], shown["effective_from"], shown["language"]) == (1, "2020-01-01T00:00:00Z", "en")
    assert [(each["code"], each["name"], each["trial_days"]) for each in shown["products"]] == [
        ("chat", "Chat", 30),
        ("desk", "Desk", 14),
        ("wiki", "Wiki", None),
    ]
    tiers = [[(tier["code"], tier["name"]) for tier in each["tiers"]] for each in shown["products"]]
    assert tiers == [[("basic", "Basic"), ("team", "Team"), ("business", "Business")]] * 3


def test_a_price_is_told_by_interval_and_currency(api: Api, ada: Customer) -> None:
    [_, team, _] = product(api, "desk")["tiers"]
    assert prices(team) == [
        ("month", 10_00, "€10.00"),
        ("month", 10_00, "JP¥1,000"),
        ("month", 100_00, "KWD\u00a010.000"),
        ("month", 10_00, "US$10.00"),
        ("year", 100_00, "€100.00"),
        ("year", 100_00, "JP¥10,000"),
        ("year", 1000_00, "KWD\u00a0100.000"),
        ("year", 100_00, "US$100.00"),
    ]
    assert team["prices"][0] == {
        "interval": "month",
        "unit_price": {"minor": 10_00, "currency": "EUR", "text": "€10.00"},
    }


def test_prices_are_written_in_the_language_asked_for(api: Api, ada: Customer) -> None:
    [basic, _, _] = product(api, "desk", language="de")["tiers"]
    assert prices(basic)[0] == ("month", 5_00, "5,00\u00a0€")
    assert api.get("/v1/catalogue", params={"language": "de"}).json()["language"] == "de"
    assert problem(api.get("/v1/catalogue", params={"language": "xx"})) == (422, "invalid-request")


def test_of_an_account_only_its_currency_is_shown_and_in_its_language(world: World, api: Api) -> None:
    customer = world.customer(currency="USD", country="US", language=Language.FR)
    api.use(customer)
    mine = {"account_id": str(customer.account_id)}
    [basic, _, _] = product(api, "desk", **mine)["tiers"]
    assert prices(basic) == [("month", 5_00, "5,00\u00a0$US"), ("year", 50_00, "50,00\u00a0$US")]
    assert api.get("/v1/catalogue", params=mine).json()["language"] == "fr"
    assert prices(product(api, "desk", **mine, language="es")["tiers"][0])[0] == ("month", 5_00, "5,00\u00a0US$")


def test_the_price_that_is_shown_is_the_price_that_is_quoted(world: World, api: Api, ada: Customer) -> None:
    world.reprice("desk", "team", Interval.MONTH, 12_34)
    [_, team, _] = product(api, "desk", account_id=str(ada.account_id))["tiers"]
    [line] = api.quote(ada, purchase()).json()["lines"]
    assert team["prices"][0] == {"interval": "month", "unit_price": line["unit_price"]}
    assert line["unit_price"]["minor"] == 12_34


def test_prices_that_do_not_count_yet_are_not_shown(world: World, api: Api, ada: Customer) -> None:
    world.reprice("desk", "team", Interval.MONTH, 12_34)
    before = api.get("/v1/catalogue").json()["version"]
    with world.begin() as session:
        session.execute(
            update(CatalogueVersion)
            .where(CatalogueVersion.id == before)
            .values(effective_from=world.time + timedelta(seconds=1))
        )
    shown = api.get("/v1/catalogue").json()
    assert (shown["version"], shown["effective_from"]) == (1, "2020-01-01T00:00:00Z")
    assert prices(product(api, "desk")["tiers"][1])[0] == ("month", 10_00, "€10.00")


def test_what_is_announced_for_later_is_not_shown(world: World, api: Api, ada: Customer) -> None:
    soon = world.time + timedelta(seconds=1)
    with world.begin() as session:
        session.add(CatalogueVersion(effective_from=soon, checksum="announced"))
        session.add(Product(code="memo", name="Memo", trial_days=7))
        session.flush()
        version = session.scalars(select(CatalogueVersion.id).order_by(CatalogueVersion.id.desc())).first()
        for product_code, tier in (("memo", "team"), ("desk", "giant")):
            session.add(Tier(product_code=product_code, code=tier, name=tier, rank=9))
            session.flush()
            price = {"interval": Interval.MONTH, "currency": "EUR", "unit_minor": 1_00}
            session.add(Price(version_id=version, product_code=product_code, tier_code=tier, **price))
    shown = api.get("/v1/catalogue").json()["products"]
    assert [each["code"] for each in shown] == ["chat", "desk", "wiki"]
    assert [tier["code"] for tier in shown[1]["tiers"]] == ["basic", "team", "business"]
    world.pass_time(seconds=1)
    shown = api.get("/v1/catalogue").json()["products"]
    assert [each["code"] for each in shown] == ["chat", "desk", "memo", "wiki"]
    assert [tier["code"] for tier in shown[1]["tiers"]] == ["basic", "team", "business", "giant"]


def test_a_tier_that_is_not_sold_any_more_keeps_its_name_and_has_no_price(
    world: World, api: Api, ada: Customer
) -> None:
    world.retire("desk", "team")
    tiers = product(api, "desk")["tiers"]
    assert [(tier["code"], len(tier["prices"])) for tier in tiers] == [("basic", 8), ("team", 0), ("business", 8)]
    assert tiers[1]["name"] == "Team"


def test_before_a_catalogue_is_loaded_nothing_is_sold(world: World, api: Api, ada: Customer) -> None:
    with world.begin() as session:
        for table in (Price, Tier, Product, CatalogueVersion):
            session.execute(delete(table))
    assert api.get("/v1/catalogue").json() == {
        "version": None,
        "effective_from": None,
        "language": "en",
        "products": [],
    }


def test_a_key_that_is_bound_to_no_account_may_read_it(api: Api) -> None:
    api.use()
    assert len(api.get("/v1/catalogue").json()["products"]) == 3


@pytest.mark.parametrize("code", ["desk", "wiki"])
def test_the_codes_of_the_catalogue_are_those_that_a_cart_takes(api: Api, ada: Customer, code: str) -> None:
    for tier in product(api, code)["tiers"]:
        for price in product(api, code, account_id=str(ada.account_id))["tiers"][0]["prices"]:
            line = purchase(product=code, tier=tier["code"], interval=price["interval"])
            assert api.quote(ada, line).status_code == 201
