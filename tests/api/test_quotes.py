"""Quotes over HTTP: the binding offer, and every refusal with what a customer needs to fix it."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from api_stub.schemas.quotes import QuoteWanted
from models.accounts import AccountKind, Language
from models.rules.cart import Action, Buyer, HeldSubscription, Offer, SubscriptionStatus, refusals
from models.rules.period import Interval
from models.support_cases import SupportCase
from tests.api.conftest import Api, change, problem, purchase, trial
from tests.support import world as worlds
from tests.support.world import TODAY, Customer, World
from worker.loading import catalogue_file


@pytest.mark.parametrize(
    ("ahead", "wait", "told"),
    [
        (timedelta(seconds=3), "5", "in a few seconds"),
        (timedelta(seconds=90), "90", "in 90 seconds"),
        (timedelta(minutes=20, seconds=1), "1201", "in 21 minutes"),
        (timedelta(days=1), "3600", "in 60 minutes"),
    ],
)
def test_a_change_of_what_begins_in_the_future_is_to_be_asked_for_again(
    world: World, api: Api, ada: Customer, ahead: timedelta, wait: str, told: str
) -> None:
    """As where another API, whose clock was ahead, sold it."""
    world.buy(ada, worlds.purchase(seats=10))
    world.time -= ahead
    answer = api.quote(ada, change(seats=20))
    assert (*problem(answer), answer.headers["Retry-After"]) == (503, "temporarily-unavailable", wait)
    assert answer.json()["detail"].endswith(f"please try again {told}.")


def test_a_quote_shows_period_seats_plan_price_credit_tax_and_totals(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, worlds.purchase(seats=10))
    world.pass_time(days=15)
    quoted = api.quote(ada, change(seats=20)).json()
    line = quoted["lines"][0]
    assert (line["seats"], line["interval"], line["tax_rate"], line["tax_treatment"]) == (20, "month", "19", "domestic")
    assert line["period"] == {"start": "2026-11-16T09:00:00Z", "end": "2026-12-16T09:00:00Z"}
    amounts = {name: line[name]["minor"] for name in ("unit_price", "plan_price", "credit", "net", "tax", "total")}
    assert amounts == {
        "unit_price": 10_00,
        "plan_price": 200_00,
        "credit": 50_00,
        "net": 150_00,
        "tax": 28_50,
        "total": 178_50,
    }
    assert line["before"]["seats"] == 10
    assert (line["before"]["share_left"], line["before"]["share_whole"]) == (15 * 86_400, 30 * 86_400)
    assert {name: value["minor"] for name, value in quoted["totals"].items()} == {
        "net": 150_00,
        "tax": 28_50,
        "total": 178_50,
        "balance_used": 0,
        "due": 178_50,
        "to_balance": 0,
    }


def test_the_balance_pays_first(world: World, api: Api, ada: Customer) -> None:
    world.grant(ada, 19_00)
    totals = api.quote(ada, purchase(seats=10)).json()["totals"]
    assert (totals["total"]["minor"], totals["balance_used"]["minor"], totals["due"]["minor"]) == (
        119_00,
        19_00,
        100_00,
    )


def test_amounts_are_written_as_the_accounts_language_writes_them(world: World, api: Api) -> None:
    greta = world.customer(language=Language.DE)
    api.use(greta)
    due = api.quote(greta, purchase(seats=119)).json()["totals"]["due"]
    assert due == {"minor": 1416_10, "currency": "EUR", "text": "1.416,10\N{NO-BREAK SPACE}€"}


def test_currencies_keep_their_own_decimals(world: World, api: Api) -> None:
    keiko, noor = world.customer(currency="JPY", country="JP"), world.customer(currency="KWD", country="KW")
    api.use(keiko, noor)
    assert api.quote(keiko, purchase(seats=1)).json()["totals"]["due"]["text"] == "JP¥1,000"
    assert api.quote(noor, purchase(seats=1)).json()["totals"]["due"]["text"] == "KWD\N{NO-BREAK SPACE}10.000"


def test_a_quote_is_valid_for_half_an_hour_and_can_be_looked_at_again(api: Api, ada: Customer) -> None:
    answer = api.quote(ada, purchase())
    quoted = answer.json()
    assert quoted["expires_at"] == (TODAY + timedelta(minutes=30)).isoformat().replace("+00:00", "Z")
    again = api.get(answer.headers["location"])
    assert (again.status_code, again.json()) == (200, quoted)


def test_the_stored_cart_can_be_quoted(api: Api, ada: Customer) -> None:
    api("PUT", f"/v1/accounts/{ada.account_id}/cart", json={"lines": [purchase(), trial("chat")]})
    quoted = api.quote(ada, from_cart=True).json()
    assert [(line["action"], line["product"]) for line in quoted["lines"]] == [("purchase", "desk"), ("trial", "chat")]


def test_lines_and_the_stored_cart_together_are_refused(api: Api, ada: Customer) -> None:
    answer = api.quote(ada, purchase(), from_cart=True)
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"][0]["pointer"] == "/lines"


def test_who_may_not_order_is_told_who_may(api: Api, ada: Customer) -> None:
    answer = api.quote(ada, purchase(), contact_id=str(uuid4()))
    assert problem(answer) == (422, "not-a-billing-contact")
    body = answer.json()
    assert f"Ada Byron <{ada.email}>" in body["detail"]
    assert body["refusals"][0]["pointer"] == "/contact_id"


def test_corporate_accounts_are_sent_to_their_portal(world: World, api: Api) -> None:
    customer = world.customer(kind=AccountKind.CORPORATE)
    api.use(customer)
    answer = api.quote(customer, purchase())
    assert problem(answer) == (422, "corporate-account")
    assert "https://corporate.prorata.example/billing" in answer.json()["detail"]


@pytest.mark.parametrize(
    "line", [purchase("chat", "team"), trial("chat", "team"), change(seats=9), change(seats=9, interval="year")]
)
def test_a_retired_tier_is_refused_for_the_tier_whatever_is_asked_of_it(
    world: World, api: Api, ada: Customer, line: dict[str, Any]
) -> None:
    world.buy(ada, worlds.purchase("desk", "team"))
    world.retire("desk", "team")
    world.retire("chat", "team")
    [refusal] = api.quote(ada, line).json()["refusals"]
    assert (refusal["pointer"], refusal["intervals"]) == ("/lines/0/tier", [])
    plan = f"{line['product'].capitalize()} Team"
    assert refusal["detail"] == (f"{plan} is no longer for sale, or not in your currency. Please choose another plan.")


@pytest.mark.parametrize(
    "line", [purchase("chat", "team"), change(seats=9), change(tier="business")], ids=["purchase", "kept", "moved to"]
)
def test_a_tier_that_is_sold_annually_only_is_refused_for_its_interval(
    world: World, api: Api, ada: Customer, line: dict[str, Any]
) -> None:
    world.buy(ada, worlds.purchase("desk", "team"))
    for product, tier in (("chat", "team"), ("desk", "team"), ("desk", "business")):
        world.retire(product, tier, [Interval.MONTH])
    [refusal] = api.quote(ada, line).json()["refusals"]
    assert (refusal["pointer"], refusal["interval"], refusal["intervals"]) == ("/lines/0/interval", "month", ["year"])
    assert refusal["detail"].endswith(
        " is sold with annual billing only in your currency. Please choose annual billing."
    )
    assert api.quote(ada, line | {"interval": "year"}).status_code == 201


def test_a_plan_that_there_is_not_is_answered_with_the_names_of_those_there_are(api: Api, ada: Customer) -> None:
    refusal = api.quote(ada, purchase(tier="gold")).json()["refusals"][0]
    assert refusal["detail"] == "There is no plan called gold. Please choose from: Basic, Team or Business."
    assert (refusal["product"], refusal["tier"]) == ("desk", "gold")
    assert refusal["tiers"] == ["basic", "team", "business"]


def test_a_lower_tier_is_refused_with_the_number_of_the_support_case_opened(
    world: World, api: Api, ada: Customer
) -> None:
    world.buy(ada, worlds.purchase(tier="team"))
    answer = api.quote(ada, change(tier="basic"))
    assert problem(answer) == (422, "lower-tier")
    refusal = answer.json()["refusals"][0]
    assert refusal["pointer"] == "/lines/0/tier"
    [case] = world.rows(SupportCase, account_id=ada.account_id)
    assert (refusal["support_case"], case.from_tier, case.to_tier) == (str(case.number), "team", "basic")
    assert answer.json()["detail"].endswith(f" Number of the support case: {case.number}.")
    again = api.quote(ada, change(tier="basic")).json()["refusals"][0]
    assert again["support_case"] == refusal["support_case"]


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "not kept"])
def test_whoever_asks_for_a_lower_tier_is_in_no_log(
    kept: bool,
    world: World,
    api: Api,
    ada: Customer,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    world.buy(ada, worlds.purchase(tier="team"))
    if not kept:  # PostgreSQL's own words then have the whole row
        with world.begin() as session:
            session.execute(text("alter table support_cases add constraint never check (false)"))
    capsys.readouterr()
    caplog.clear()
    answer = api.quote(ada, change(tier="basic"))
    assert answer.status_code == (422 if kept else 500)
    logged = "".join((*capsys.readouterr(), caplog.text))
    assert "/v1/quotes" in logged
    assert [word for word in (ada.email, "Ada Byron", "Customer 1") if word in logged] == []


def test_fewer_seats_than_assigned_names_whom_to_unassign(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, worlds.purchase(seats=3))
    world.assign(ada, "desk", "a@x.example", "b@x.example", "c@x.example")
    answer = api.quote(ada, change(seats=1))
    assert problem(answer) == (422, "seats-below-assigned")
    refusal = answer.json()["refusals"][0]
    assert refusal["pointer"] == "/lines/0/seats"
    assert refusal["most_recent"] == ["c@x.example", "b@x.example"]
    assert "unassign 2 users first; the most recently assigned are c@x.example and b@x.example" in refusal["detail"]
    assert refusal.keys() == {"type", "pointer", "detail", "seats", "must_unassign", "most_recent"}
    assert "a@x.example" not in answer.text, "who keeps a seat is nobody's business"


def test_of_many_users_to_unassign_ten_are_named_and_the_others_counted(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, worlds.purchase(seats=13))
    world.assign(ada, "desk", *(f"u{n:02}@x.example" for n in range(13)))
    refusal = api.quote(ada, change(seats=1)).json()["refusals"][0]
    assert refusal["must_unassign"] == 12
    assert refusal["most_recent"] == [f"u{n:02}@x.example" for n in range(12, 2, -1)]
    assert "u03@x.example and 2 more." in refusal["detail"]


def test_every_refusal_is_told_at_once(api: Api, ada: Customer) -> None:
    answer = api.quote(ada, purchase(product="nothing"), purchase(seats=0), change("chat", seats=4))
    assert problem(answer) == (422, "unknown-product")
    assert [(each["type"].rpartition("/")[2], each["pointer"]) for each in answer.json()["refusals"]] == [
        ("unknown-product", "/lines/0/product"),
        ("seats-out-of-range", "/lines/1/seats"),
        ("not-subscribed", "/lines/2/action"),
    ]


def test_a_request_of_the_wrong_shape_is_told_field_by_field(api: Api, ada: Customer) -> None:
    line = {"action": "buy", "product": "desk\u0000", "seats": "three", "color": "red"}
    answer = api.quote(ada, line)
    assert problem(answer) == (422, "invalid-request")
    assert sorted(error["pointer"] for error in answer.json()["errors"]) == [
        "/lines/0/action",
        "/lines/0/color",
        "/lines/0/product",
        "/lines/0/seats",
    ]


def test_the_example_of_the_contract_can_be_ordered_from_the_sample_catalogue() -> None:
    sold = catalogue_file.read(Path(__file__).parents[2] / "api_stub/sample/catalogue.yaml").products
    offers = {
        product.code: Offer(
            tier_ranks={tier.code: tier.rank for tier in product.tiers},
            prices={(t.code, Interval(i)): p["EUR"] for t in product.tiers for i, p in t.prices.items()},
            trial_days=product.trial_days,
        )
        for product in sold
    }
    held = {"docs": HeldSubscription(SubscriptionStatus.ACTIVE, "team", 1, seats=10, interval=Interval.MONTH)}
    buyer = Buyer(corporate=False, is_billing_contact=True, billing_contacts=(), held=held)
    wanted = QuoteWanted.model_validate(QuoteWanted.model_json_schema()["examples"][0])
    assert {line.action for line in wanted.lines} == set(Action)
    assert refusals([line.line() for line in wanted.lines], buyer, offers) == []
