"""Accounts over HTTP: listed, shown and changed in part, with balance and subscriptions."""

import re

import pytest
from sqlalchemy import delete

from models.accounts import Language
from models.api_keys import ApiKeyAccount
from models.rules.vat import BuyerType
from models.states import OrderStatus
from tasks import sweep
from tests.api.conftest import Api, change, problem, purchase
from tests.support import world as worlds
from tests.support.many_orders import Plans
from tests.support.payment import refund
from tests.support.world import Customer, World


def test_an_account_is_shown_and_changed_in_part(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}"
    before = api.get(own).json()
    after = api("PATCH", own, json={"language": "fr", "address": "1 rue de la Paix\n75002 Paris"}).json()
    assert after == before | {"language": "fr", "address": "1 rue de la Paix\n75002 Paris"}
    assert api.get(own).json() == after


def test_a_key_lists_the_accounts_it_is_bound_to(world: World, api: Api, ada: Customer) -> None:
    world.change_account(ada, name="Muster GmbH", currency="EUR", language=Language.DE)
    shown = api.get(f"/v1/accounts/{ada.account_id}").json()
    told = ("id", "name", "kind", "country", "currency", "language")
    assert api.get("/v1/accounts").json() == {
        "accounts": [{name: shown[name] for name in told}],
        "next_after": None,
    }


def test_a_key_that_lost_the_account_at_a_pages_end_goes_on_after_it(world: World, api: Api) -> None:
    mine = sorted((world.customer() for _ in range(3)), key=lambda each: each.account_id)
    api.use(*mine)
    first = api.get("/v1/accounts", params={"limit": "1"}).json()
    with world.begin() as session:
        session.execute(delete(ApiKeyAccount).where(ApiKeyAccount.account_id == mine[0].account_id))
    rest = api.get("/v1/accounts", params={"after": first["next_after"]}).json()
    assert [each["id"] for each in rest["accounts"]] == [str(each.account_id) for each in mine[1:]]


def test_a_page_of_accounts_reads_nothing_of_the_pages_before(world: World, api: Api, ada: Customer) -> None:
    api.use(ada, world.customer())
    first = api.get("/v1/accounts", params={"limit": 1}).json()
    with Plans(world, "accounts") as plans:
        assert len(api.get("/v1/accounts", params={"after": first["next_after"]}).json()["accounts"]) == 1
    [plan] = plans.noted
    assert re.search(r"pk_api_key_accounts.*\n *Index Cond: .*\(account_id > ", plan), plan
    assert re.search(r"pk_accounts.*\n *Index Cond: .*\bid (>|=) ", plan), plan


def test_a_key_bound_to_no_account_lists_none(api: Api) -> None:
    api.use()
    assert api.get("/v1/accounts").json() == {"accounts": [], "next_after": None}


def test_a_vat_number_is_checked_for_its_form_and_can_be_removed(world: World, api: Api) -> None:
    customer = world.customer(country="FR")
    api.use(customer)
    own = f"/v1/accounts/{customer.account_id}"
    answer = api("PATCH", own, json={"vat_number": "FR00123456789"})
    assert problem(answer) == (422, "vat-number-invalid")
    assert answer.json()["errors"][0]["pointer"] == "/vat_number"
    assert api.get(own).json()["vat_number"] is None
    assert api("PATCH", own, json={"vat_number": "FR40303265045"}).json()["vat_number"] == "FR40303265045"
    assert api("PATCH", own, json={"vat_number": None}).json()["vat_number"] is None


@pytest.mark.parametrize("number", ["DE136695977", "ATU13585627", "junk"])
def test_a_number_of_the_sellers_own_country_is_checked_for_its_form_too(api: Api, ada: Customer, number: str) -> None:
    own = f"/v1/accounts/{ada.account_id}"
    answer = api("PATCH", own, json={"vat_number": number})
    assert (problem(answer), api.get(own).json()["vat_number"]) == ((422, "vat-number-invalid"), None)
    assert api("PATCH", own, json={"vat_number": "DE136695976"}).json()["vat_number"] == "DE136695976"


@pytest.mark.parametrize("place", [{"country": "US"}, {"country": "ES", "postcode": "35001"}])
def test_a_number_where_no_vat_of_the_union_is_owed_is_not_checked(
    world: World, api: Api, place: dict[str, str]
) -> None:
    customer = world.customer(**place)
    api.use(customer)
    own = f"/v1/accounts/{customer.account_id}"
    assert api("PATCH", own, json={"vat_number": "12-345"}).json()["vat_number"] == "12-345"


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({}, ""),
        ({"currency": "USD"}, "/currency"),
        ({"kind": "self_serve"}, "/kind"),
        ({"language": "xx"}, "/language"),
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"country": "ZZ"}, "/country"),
        ({"name": ""}, "/name"),
        ({"name": None}, "/name"),
        ({"name": "a\nBcc: b"}, "/name"),
        ({"name": " "}, "/name"),
        ({"name": "\u202e\u200b"}, "/name"),
        ({"timezone": "localtime"}, "/timezone"),
        ({"address": "\x00"}, "/address"),
    ],
)
def test_what_cannot_be_changed_is_refused(api: Api, ada: Customer, patch: dict[str, object], pointer: str) -> None:
    own = f"/v1/accounts/{ada.account_id}"
    before = api.get(own).json()
    answer = api("PATCH", own, json=patch)
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert api.get(own).json() == before


def test_a_patchs_schema_has_no_defaults_for_a_client_to_fill_in(api: Api) -> None:
    schemas = api.client.get("/openapi.json").json()["components"]["schemas"]
    patches = [schema for name, schema in schemas.items() if name.endswith("Patch")]
    fields = {name: field for patch in patches for name, field in patch["properties"].items()}
    assert fields.keys() >= {"country", "is_billing_contact"}
    assert [name for name, field in fields.items() if "default" in field] == []


def test_a_consumers_vat_number_is_kept_unchecked_and_counts_nowhere_as_it_is_said(world: World, api: Api) -> None:
    customer = world.customer(buyer_type=BuyerType.CONSUMER, country="AT")
    api.use(customer)
    own = f"/v1/accounts/{customer.account_id}"
    assert api("PATCH", own, json={"vat_number": "DE1"}).json()["vat_number"] == "DE1"
    quote = api.quote(customer, purchase()).json()
    assert (quote["vat_number"], quote["lines"][0]["tax_rate"]) == (None, "20")
    patch = api.client.get("/openapi.json").json()["components"]["schemas"]["AccountPatch"]
    assert "counts nowhere" in patch["properties"]["vat_number"]["description"]
    assert "`buyer_type` cannot be changed" in patch["description"]


def test_the_balance_is_shown_with_its_movements(world: World, api: Api, ada: Customer) -> None:
    world.grant(ada, 200_00)
    world.buy(ada, worlds.purchase(seats=10))
    own = f"/v1/accounts/{ada.account_id}/balance"
    shown = api.get(own).json()
    assert shown["balance"] == {"minor": 81_00, "currency": "EUR", "text": "€81.00"}
    assert [(each["kind"], each["amount"]["minor"], each["balance"]["minor"]) for each in shown["movements"]] == [
        ("reserved", -119_00, 81_00),
        ("granted", 200_00, 200_00),
    ]
    assert shown["movements"][0]["order_id"] == api.get("/v1/orders").json()["orders"][0]["id"]
    page = api.get(own, params={"limit": 1}).json()
    rest = api.get(own, params={"limit": 1, "before": page["next_before"]}).json()
    assert ([each["kind"] for each in rest["movements"]], rest["next_before"]) == (["granted"], None)


def test_subscriptions_show_seats_period_and_status(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, worlds.purchase(seats=10), worlds.trial("chat", seats=2))
    listed = api.get(f"/v1/accounts/{ada.account_id}/subscriptions").json()["subscriptions"]
    assert [(each["product"], each["tier"], each["seats"], each["interval"], each["status"]) for each in listed] == [
        ("chat", "team", 2, None, "trialing"),
        ("desk", "team", 10, "month", "active"),
    ]
    assert listed[1]["period"] == {"start": "2026-11-01T09:00:00Z", "end": "2026-12-01T09:00:00Z"}
    assert api.get(f"/v1/subscriptions/{listed[1]['id']}").json() == listed[1]


def test_a_subscription_tells_its_price_and_the_order_that_last_changed_it(
    world: World, api: Api, ada: Customer
) -> None:
    bought = world.buy(ada, worlds.purchase(seats=10), worlds.trial("chat", seats=2))
    own = f"/v1/accounts/{ada.account_id}/subscriptions"

    def told() -> list[tuple[str, int | None, str | None]]:
        return [
            (each["product"], each["plan_price"] and each["plan_price"]["minor"], each["order_id"])
            for each in api.get(own).json()["subscriptions"]
        ]

    assert told() == [("chat", 0, str(bought.id)), ("desk", 100_00, str(bought.id))]
    changed = world.buy(ada, worlds.change(seats=12))
    assert told() == [("chat", 0, str(bought.id)), ("desk", 120_00, str(changed.id))]


def test_a_subscription_whose_purchase_was_refunded_has_neither_price_nor_order(
    world: World, api: Api, ada: Customer
) -> None:
    order = world.buy(ada, worlds.purchase())
    refund(world, order.id)
    shown = api.get(f"/v1/subscriptions/{world.subscription(ada, 'desk').id}").json()
    assert (shown["status"], shown["plan_price"], shown["order_id"]) == ("ended", None, None)


def test_a_trial_that_an_open_order_keeps_from_being_ended_is_shown_as_ended(world: World, api: Api) -> None:
    ada = world.customer(card=None)
    api.use(ada)
    world.buy(ada, worlds.trial("desk"))
    own = f"/v1/subscriptions/{world.subscription(ada, 'desk').id}"
    world.pass_time(days=13, hours=23)
    assert world.buy(ada, worlds.purchase("desk")).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    before = api.get(own).json()
    world.pass_time(hours=1)
    sweep.sweep()
    after = api.get(own).json()
    assert (before["status"], after) == ("trialing", before | {"status": "trial_ended"})
    assert api.get(f"/v1/accounts/{ada.account_id}/subscriptions").json()["subscriptions"] == [after]
    assert problem(api.post(f"{own}/seats/assign", {"email": "mia@x.example"})) == (409, "not-active")
    assert problem(api.quote(ada, change(seats=7))) == (422, "trial-ended")


def test_what_is_refused_is_said_in_the_accounts_language(world: World, api: Api) -> None:
    otto = world.customer(country="AT", language=Language.DE)
    api.use(otto)
    own = f"/v1/accounts/{otto.account_id}"
    twice = api("PUT", f"{own}/cart", json={"lines": [purchase("desk"), purchase("desk")]})
    number = api("PATCH", own, json={"vat_number": "ATU13585628"})
    card = api("PUT", f"{own}/payment-method", json={"token": "pm_card_chargeDeclined"})
    assert [answer.json()["detail"] for answer in (twice, number, card)] == [
        "Desk ist mehrfach im Warenkorb. Bitte behalten Sie nur eine Position dafür.",
        "Die USt-IdNr. Ihres Kontos ist für folgendes Land nicht gültig: Österreich. Bitte berichtigen oder entfernen Sie sie.",
        "Das Zahlungsmittel wurde abgelehnt; bitte geben Sie ein anderes an.",
    ]


def test_a_number_of_blanks_and_signs_is_none(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}"
    assert [api("PATCH", own, json={"vat_number": given}).json()["vat_number"] for given in (" ", "-")] == [None, None]
