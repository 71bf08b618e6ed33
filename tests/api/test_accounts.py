"""Accounts over HTTP: what may be changed, who may order, how it pays."""

from datetime import datetime

import pytest
from sqlalchemy import delete
from structlog.testing import capture_logs

from models.accounts import Contact, Language
from models.api_keys import ApiKeyAccount
from models.payments import ChargeAttempt
from models.rules.vat import BuyerType
from models.states import OrderStatus
from tests.api.conftest import Api, problem, purchase
from tests.support import world as worlds
from tests.support.payment import DECLINES
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


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({}, ""),
        ({"currency": "USD"}, "/currency"),
        ({"kind": "self_serve"}, "/kind"),
        ({"language": "pt"}, "/language"),
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


def test_a_contact_is_added_once_and_named_as_billing_contact(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/contacts"
    added = api.post(own, {"name": "Bob", "email": "Bob@Customer.example"})
    assert (added.status_code, added.json()["email"]) == (201, "bob@customer.example")
    assert problem(api.post(own, {"name": "Bobby", "email": "bob@customer.example"})) == (409, "email-taken")
    assert api.quote(ada, purchase(), contact_id=added.json()["id"]).status_code == 422
    named = api("PATCH", added.headers["location"], json={"is_billing_contact": True})
    assert named.json()["is_billing_contact"] is True
    assert api.quote(ada, purchase(), contact_id=added.json()["id"]).status_code == 201
    assert [contact["name"] for contact in api.get(own).json()["contacts"]] == ["Ada Byron", "Bob"]


def test_a_contact_of_another_account_is_not_there(world: World, api: Api, ada: Customer) -> None:
    bob = world.customer()
    path = f"/v1/accounts/{ada.account_id}/contacts/{bob.contact_id}"
    assert problem(api.get(path)) == (404, "not-found")
    assert problem(api("PATCH", path, json={"name": "Eve"})) == (404, "not-found")


def test_somebody_stays_able_to_order(world: World, api: Api, ada: Customer) -> None:
    world.customer()  # somebody of another account does not count
    own = f"/v1/accounts/{ada.account_id}/contacts/{ada.contact_id}"
    assert problem(api("PATCH", own, json={"is_billing_contact": False})) == (409, "last-billing-contact")
    assert api.get(own).json()["is_billing_contact"] is True


def test_another_payment_method_replaces_the_one_before(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/payment-method"
    assert api.get(own).json()["payment_method"]["last4"] == "4242"
    assert api("PUT", own, json={"token": "pm_card_mastercard"}).json()["last4"] == "4444"
    assert api.get(own).json()["payment_method"]["brand"] == "mastercard"


def test_an_address_that_the_provider_refuses_keeps_nobody_from_giving_a_card(world: World, api: Api) -> None:
    customer = world.customer(card=None)
    with world.begin() as session:
        session.get_one(Contact, customer.contact_id).email = "jürgen@customer.example"
    api.use(customer)
    own = f"/v1/accounts/{customer.account_id}/payment-method"
    with capture_logs() as logged:
        assert api("PUT", own, json={"token": "pm_card_visa"}).json()["last4"] == "4242"
    assert api.get(own).json()["payment_method"]["last4"] == "4242"
    assert "customer without an email address" in [entry["event"] for entry in logged]
    assert "jürgen" not in str(logged)
    world.run(world.place(customer, worlds.purchase()))
    assert world.charged(customer) == [119_00]


OTHERWISE = "Das Zahlungsmittel wurde abgelehnt; bitte geben Sie ein anderes an."


@pytest.mark.parametrize(
    ("token", "code", "why"),
    [
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "Die Karte ist abgelaufen. "),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "Die Prüfnummer der Karte ist falsch. "),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "insufficient_funds",
            "Die Karte ist nicht ausreichend gedeckt. ",
        ),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", ""),
        ("pm_card_visa_chargeDeclinedStolenCard", "stolen_card", ""),
        ("pm_card_chargeDeclined", "generic_decline", ""),
    ],
)
def test_a_refused_payment_method_is_told_with_what_is_wrong_with_the_card(
    world: World, api: Api, ada: Customer, token: str, code: str, why: str
) -> None:
    world.change_account(ada, language="de")
    answer = api("PUT", f"/v1/accounts/{ada.account_id}/payment-method", json={"token": token})
    assert problem(answer) == (422, "payment-method-refused")
    told = answer.json()
    assert (told["decline_code"], told["detail"]) == (code, why + OTHERWISE)
    assert told["errors"] == [{"pointer": "/token", "detail": why + OTHERWISE}]


def test_an_account_without_a_payment_method_shows_none(world: World, api: Api) -> None:
    customer = world.customer(card=None)
    api.use(customer)
    nothing = {"payment_method": None, "last_declined": None}
    assert api.get(f"/v1/accounts/{customer.account_id}/payment-method").json() == nothing


def test_after_a_decline_no_method_is_charged_and_the_declined_one_is_told_with_its_code(
    world: World, api: Api
) -> None:
    customer = world.customer(card=DECLINES)
    api.use(customer)
    order_id = world.place(customer, worlds.purchase())
    assert world.run(order_id).status is OrderStatus.PAYMENT_DECLINED
    own = f"/v1/accounts/{customer.account_id}/payment-method"
    shown = api.get(own).json()
    (attempt,) = world.rows(ChargeAttempt, order_id=order_id)
    assert shown["payment_method"] is None
    assert datetime.fromisoformat(shown["last_declined"].pop("declined_at")) == attempt.settled_at
    assert shown["last_declined"] == {"brand": "visa", "last4": "0341", "decline_code": "generic_decline"}
    assert api("PUT", own, json={"token": "pm_card_mastercard"}).json()["status"] == "usable"
    shown = api.get(own).json()
    assert (shown["payment_method"]["last4"], shown["last_declined"]) == ("4444", None)


def test_of_several_declined_methods_the_one_that_was_declined_last_is_told(world: World, api: Api) -> None:
    customer = world.customer(card=DECLINES)
    api.use(customer)
    order_id = world.place(customer, worlds.purchase())
    world.run(order_id)
    said = []
    for token in ("pm_card_threeDSecureRequiredProcessingError", DECLINES):
        assert api.post(f"/v1/orders/{order_id}/payment-method", {"token": token}).status_code == 200
        world.run(order_id)
        told = api.get(f"/v1/accounts/{customer.account_id}/payment-method").json()["last_declined"]
        said.append((told["last4"], told["decline_code"]))
    assert said == [("1280", "processing_error"), ("0341", "generic_decline")]


def test_the_payment_provider_being_away_is_no_failure_of_ours(world: World, api: Api, ada: Customer) -> None:
    world.stripe.fail("server_error", "payment_methods.attach")
    answer = api("PUT", f"/v1/accounts/{ada.account_id}/payment-method", json={"token": "pm_card_mastercard"})
    assert problem(answer) == (503, "temporarily-unavailable")
    assert answer.headers["retry-after"] == "5"


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


def test_a_cart_is_kept_replaced_and_emptied(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/cart"
    assert api.get(own).json() == {"lines": []}
    put = api("PUT", own, json={"lines": [purchase("wiki"), purchase("desk", seats=3)]})
    assert [line["product"] for line in put.json()["lines"]] == ["wiki", "desk"]
    replaced = api("PUT", own, json={"lines": [{"action": "change", "product": "desk", "seats": 4}]}).json()
    line = {"action": "change", "product": "desk", "tier": None, "seats": 4, "interval": None}
    assert replaced == api.get(own).json() == {"lines": [line]}
    assert [api("DELETE", own).status_code for _ in range(2)] == [204, 204]
    assert api.get(own).json() == {"lines": []}


def test_a_cart_has_one_line_per_product(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/cart"
    answer = api("PUT", own, json={"lines": [purchase("desk"), purchase("chat"), purchase("desk")]})
    assert problem(answer) == (422, "product-twice")
    assert answer.json()["errors"][0]["pointer"] == "/lines/2/product"
    assert api.get(own).json() == {"lines": []}


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


def test_an_address_as_a_browser_sends_it_is_kept_in_lines(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}"
    assert (
        api("PATCH", own, json={"address": "Hauptstr. 1\r\n10115 Berlin"}).json()["address"]
        == "Hauptstr. 1\n10115 Berlin"
    )


UNPRINTABLE = [
    "a\x9b31mb",
    "a\x85b",
    "a\x1b[31mb",
    "a\u2028b",
    "a\u2029b",
    "a\u202eb",
    "a\u2066b",
    "a\u3164b",
    "a\uffa0b",
    "a\U000e0041b",
]


@pytest.mark.parametrize("text", UNPRINTABLE, ids=ascii)
def test_an_address_has_nothing_that_steers_a_terminal_or_hides(api: Api, ada: Customer, text: str) -> None:
    answer = api("PATCH", f"/v1/accounts/{ada.account_id}", json={"address": f"Hauptstr. 1\n{text}"})
    assert answer.json()["errors"] == [{"pointer": "/address", "detail": "must be text without control characters"}]


@pytest.mark.parametrize(
    "name",
    ["  ", "\u3164", "\u115f\u1160", "\uffa0", "\U000e0041\U000e0042", "\u200d", "\u034f\ufe0f", "\u3164\u200b\u3164"],
    ids=ascii,
)
def test_a_blank_name_is_told_in_words(api: Api, ada: Customer, name: str) -> None:
    answer = api("PATCH", f"/v1/accounts/{ada.account_id}", json={"name": name})
    assert answer.json()["errors"] == [
        {"pointer": "/name", "detail": "must be text in one line with a letter or a digit in it"}
    ]


@pytest.mark.parametrize("name", ["Click http://evil.example", "WWW.evil.example", *UNPRINTABLE], ids=ascii)
def test_a_name_is_one_line_of_text_and_no_link(api: Api, ada: Customer, name: str) -> None:
    own = f"/v1/accounts/{ada.account_id}"
    assert api("PATCH", own, json={"name": name}).status_code == 422
    assert api.post(f"{own}/contacts", {"name": name, "email": "bob@example.com"}).status_code == 422


@pytest.mark.parametrize("name", ["S.p.A./GmbH", "Booking.com", "Dr.Müller/Dr.Schmidt", "GmbH & Co.KG/Werk 2"])
def test_a_company_may_be_called_like_a_part_of_a_link(api: Api, ada: Customer, name: str) -> None:
    assert api("PATCH", f"/v1/accounts/{ada.account_id}", json={"name": name}).json()["name"] == name


def test_an_email_address_comes_without_a_name(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/contacts"
    answer = api.post(own, {"name": "Bob", "email": "Bob <bob@example.com>"})
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"][0]["detail"] == ("give the address alone, such as ada@example.com, without a name")


def test_letters_are_sent_to_no_address_that_looks_encoded(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/contacts"
    answer = api.post(own, {"name": "Bob", "email": "=?utf-8?q?bob=40b.example=2c?=@example.com"})
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"] == [
        {"pointer": "/email", "detail": "must not contain =?, where mail programs see encoded text"}
    ]


def test_what_no_quote_could_have_is_not_kept_in_a_cart(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/cart"
    assert api("PUT", own, json={"lines": [purchase(f"p{n}") for n in range(51)]}).status_code == 422
    assert problem(api("PUT", own, json={"lines": [purchase(seats=0)]})) == (422, "seats-out-of-range")
