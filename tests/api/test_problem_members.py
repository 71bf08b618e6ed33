"""What problems have beside the usual members: each type is provoked, and has what the document says, in the form that it says."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from api_stub.problems.details import BASE
from api_stub.problems.members import FORMS, FORMS_OF_REASON, OF_PROBLEM, OF_REASON
from api_stub.problems.refusal_codes import REASONS
from models.accounts import AccountKind
from models.payments import ChargeAttempt
from models.rules.period import Interval
from models.rules.refusals import RefusalCode
from models.states import Step
from models.support_cases import SupportCase
from tests.api.conftest import Api, change, problem, purchase, trial
from tests.support import world as worlds
from tests.support.contract import DOCUMENT
from tests.support.payment import DECLINES, declined_often
from tests.support.world import Customer, World

SCHEMAS = DOCUMENT["components"]["schemas"]
USUAL = {"type", "title", "status", "detail"}
CORPORATE: dict[str, Any] = {"kind": AccountKind.CORPORATE}
WRONG_NUMBER: dict[str, Any] = {"country": "FR", "vat_number": "FR00123456789"}
PORTAL = "https://corporate.prorata.example/billing"


@pytest.fixture
def held(world: World, api: Api, ada: Customer) -> Customer:
    """Has Desk with two of three seats assigned, and a trial of Chat. Of Wiki the highest tier is retired, another is sold monthly only, and one price is huge."""
    world.buy(ada, worlds.purchase("desk", "team", 3))
    world.assign(ada, "desk", "a@x.example", "b@x.example")
    world.buy(ada, worlds.trial("chat", "team", 5))
    world.retire("wiki", "business")
    world.retire("wiki", "team", [Interval.YEAR])
    world.reprice("wiki", "basic", Interval.MONTH, 2 * 10**9)
    return ada


def without(name: str, line: dict[str, Any]) -> dict[str, Any]:
    return {member: value for member, value in line.items() if member != name}


CARTS: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    ("empty-cart", [], {}),
    ("too-many-lines", [purchase("wiki")] * 51, {"most": 50}),
    ("product-twice", [purchase("wiki"), purchase("wiki")], {"product": "wiki"}),
    ("unknown-product", [purchase("nothing")], {"product": "nothing"}),
    ("unknown-tier", [purchase("wiki", "gold")], {"product": "wiki", "tier": "gold", "tiers": ["basic", "team"]}),
    (
        "unknown-tier",
        [without("tier", purchase("wiki"))],
        {"product": "wiki", "tier": None, "tiers": ["basic", "team"]},
    ),
    (
        "not-for-sale",
        [purchase("wiki", "business")],
        {"product": "wiki", "tier": "business", "intervals": []},
    ),
    (
        "not-for-sale",
        [purchase("wiki", "team", interval="year")],
        {"product": "wiki", "tier": "team", "interval": "year", "intervals": ["month"]},
    ),
    ("seats-out-of-range", [purchase("wiki", seats=0)], {"seats": 0, "most": 1_000_000}),
    ("seats-out-of-range", [purchase("wiki", seats=2**31)], {"seats": 2**31, "most": 1_000_000}),
    ("seats-out-of-range", [change("desk", seats=-(2**63))], {"seats": -(2**63), "most": 1_000_000}),
    ("seats-out-of-range", [without("seats", purchase("wiki"))], {"seats": None, "most": 1_000_000}),
    ("interval-missing", [without("interval", purchase("wiki"))], {}),
    ("interval-on-trial", [change("chat", interval="month")], {}),
    ("already-subscribed", [purchase("desk")], {"product": "desk"}),
    ("no-trial-offered", [trial("wiki")], {"product": "wiki"}),
    ("trial-used", [trial("chat")], {"product": "chat"}),
    ("not-subscribed", [change("wiki", seats=4)], {"product": "wiki"}),
    ("nothing-changes", [change("desk", seats=3)], {}),
    (
        "seats-below-assigned",
        [change("desk", seats=1)],
        {"seats": 1, "must_unassign": 1, "most_recent": ["b@x.example"]},
    ),
    ("order-too-large", [purchase("wiki", "basic", seats=1_000_000)], {}),
]
LATER: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    ("trial-ended", [change("chat", seats=6)], {"product": "chat"}),
    ("period-over", [change("desk", seats=6)], {"product": "desk"}),
]
BUYERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("corporate-account", CORPORATE, {"portal_url": PORTAL}),
    ("vat-number-invalid", WRONG_NUMBER, {"country": "FR"}),
]
ONE_BY_ONE = {"not-a-billing-contact", "lower-tier", "payment-disputed", "payment-refunded"}


def reason(answer: httpx.Response, code: str) -> dict[str, Any]:
    """The first reason's own members."""
    assert problem(answer) == (422, code)
    found: dict[str, Any] = answer.json()["refusals"][0]
    assert found["type"] == BASE + code
    return {name: value for name, value in found.items() if name not in {"type", "pointer", "detail"}}


@pytest.mark.parametrize(("code", "lines", "members"), CARTS)
def test_a_refused_carts_reason_has_its_members(
    api: Api, held: Customer, code: str, lines: list[dict[str, Any]], members: dict[str, Any]
) -> None:
    assert reason(api.quote(held, *lines), code) == members


@pytest.mark.parametrize(("code", "lines", "members"), LATER)
def test_the_reason_of_a_change_that_comes_too_late_has_its_members(
    world: World, api: Api, held: Customer, code: str, lines: list[dict[str, Any]], members: dict[str, Any]
) -> None:
    world.pass_time(days=40)
    assert reason(api.quote(held, *lines), code) == members


def test_the_reason_of_a_change_whose_payment_the_bank_has_taken_back_has_its_members(
    world: World, api: Api, held: Customer
) -> None:
    [charge] = [row.ref for row in world.rows(ChargeAttempt) if row.ref is not None]
    world.stripe.control("dispute", payment_intent=charge, status="needs_response")
    world.notify(charge, "charge.dispute.created")
    assert reason(api.quote(held, change("desk", seats=6)), "payment-disputed") == {"product": "desk"}


def test_the_reason_of_a_change_whose_payment_went_back_to_the_card_has_its_members(
    world: World, api: Api, held: Customer
) -> None:
    [charge] = [row.ref for row in world.rows(ChargeAttempt) if row.ref is not None]
    world.stripe.client().v1.refunds.create({"payment_intent": charge})
    world.notify(charge, "charge.refunded")
    assert reason(api.quote(held, change("desk", seats=6)), "payment-refunded") == {
        "product": "desk",
        "remains_paid_minor": 0,
    }


@pytest.mark.parametrize(("code", "account", "members"), BUYERS)
def test_the_reason_of_an_account_that_may_not_order_has_its_members(
    world: World, api: Api, ada: Customer, code: str, account: dict[str, Any], members: dict[str, Any]
) -> None:
    world.change_account(ada, **account)
    assert reason(api.quote(ada, purchase()), code) == members


def test_whoever_may_not_order_is_named_the_billing_contacts(api: Api, ada: Customer) -> None:
    answer = api.quote(ada, purchase(), contact_id=str(uuid4()))
    assert reason(answer, "not-a-billing-contact") == {"billing_contacts": [f"Ada Byron <{ada.email}>"]}


def test_whoever_asks_for_a_lower_tier_is_told_the_number_of_the_case_as_text(
    world: World, api: Api, held: Customer
) -> None:
    told = reason(api.quote(held, change("desk", tier="basic")), "lower-tier")
    [case] = world.rows(SupportCase)
    assert told == {"product": "desk", "from_tier": "team", "to_tier": "basic", "support_case": str(case.number)}


def test_what_is_refused_before_it_is_an_order_has_the_same_reason_and_names_its_field(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}"
    lines = [without("interval", trial("wiki", seats=0))]
    stored = api("PUT", f"{own}/cart", json={"lines": lines})
    assert reason(stored, "seats-out-of-range") == {"seats": 0, "most": 1_000_000}
    changed = api("PATCH", own, json=WRONG_NUMBER)
    assert reason(changed, "vat-number-invalid") == {"country": "FR"}
    pointers = [answer.json()["errors"][0]["pointer"] for answer in (stored, changed)]
    assert pointers == ["/lines/0/seats", "/vat_number"]


def test_every_reason_has_its_field_and_its_meaning() -> None:
    assert [code.name for code in RefusalCode if code not in REASONS] == [], (
        "missing in api_stub/problems/refusal_codes.py: REASONS"
    )


def test_a_reason_points_at_a_field_that_there_is() -> None:
    fields = {f"/{name}" for schema in ("QuoteWanted", "LineWanted") for name in SCHEMAS[schema]["properties"]}
    assert {each.field for each in REASONS.values()} <= {"", *fields}


def test_every_reason_is_provoked_here() -> None:
    provoked = {code for code, *_ in (*CARTS, *LATER, *BUYERS)} | ONE_BY_ONE
    assert provoked == set(RefusalCode)


def _seats(world: World, ada: Customer) -> str:
    world.buy(ada, worlds.purchase(seats=1))
    world.assign(ada, "desk", "a@x.example")
    return f"/v1/subscriptions/{world.subscription(ada, 'desk').id}/seats"


def _csv(*lines: str) -> dict[str, Any]:
    return {"content": "\n".join(("email,action", *lines)), "headers": {"Content-Type": "text/csv"}}


def _missing_scope(_: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    api.use(ada, scopes=["orders:read"])
    return api.quote(ada, purchase()), {"scope": "orders:write"}


def _quote_expired(world: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    quote = api.quote(ada, purchase()).json()
    world.pass_time(days=1)
    return api.place(ada, quote["id"]), {"expired_at": quote["expires_at"]}


def _quote_expired_before_it_was_confirmed(
    world: World, api: Api, ada: Customer
) -> tuple[httpx.Response, dict[str, Any]]:
    order_id = api.order(ada, purchase())
    world.reprice("desk", "team", Interval.MONTH, 11_00)
    world.run(UUID(order_id))
    quote = api.get(f"/v1/orders/{order_id}").json()["next"]["quote"]
    world.pass_time(days=1)
    answer = api.post(f"/v1/orders/{order_id}/confirm", {"quote_id": quote["id"]})
    return answer, {"expired_at": quote["expires_at"]}


def _nothing_to_confirm(_: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    path = f"/v1/orders/{api.order(ada, purchase())}/confirm"
    return api.post(path, {"quote_id": str(uuid4())}), {"order_status": "open"}


def _no_method_wanted(world: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    order_id = world.buy(ada, worlds.purchase()).id
    return api.post(f"/v1/orders/{order_id}/payment-method", {}), {"order_status": "completed"}


def _too_late(world: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    order_id = world.buy(ada, worlds.purchase()).id
    return api.post(f"/v1/orders/{order_id}/cancel"), {"order_status": "completed"}


def _too_late_once_active(world: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    order_id = world.place(ada, worlds.purchase())
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    return api.post(f"/v1/orders/{order_id}/cancel"), {"order_status": "open"}


def _quote_used(_: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    quote_id = api.quote(ada, purchase()).json()["id"]
    order_id = api.place(ada, quote_id).json()["id"]
    return api.place(ada, quote_id), {"order_id": order_id}


def _email_taken(_: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    answer = api.post(f"/v1/accounts/{ada.account_id}/contacts", {"name": "Ada", "email": ada.email})
    return answer, {"contact_id": str(ada.contact_id)}


def _open_order(_: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    quotes = [api.quote(ada, purchase()).json()["id"] for _ in range(2)]
    first, second = [api.place(ada, quote_id) for quote_id in quotes]
    return second, {"products": ["desk"], "order_ids": [first.json()["id"]]}


def _payment_method_in_use(_: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    order_id = api.order(ada, purchase())
    return api("DELETE", f"/v1/accounts/{ada.account_id}/payment-method"), {"order_ids": [order_id]}


def _key_reused(_: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    quotes = [api.quote(ada, purchase(product)).json()["id"] for product in ("desk", "wiki")]
    first, again = [api.place(ada, quote_id, key="k") for quote_id in quotes]
    return again, {"order_id": first.json()["id"]}


def _no_seat_left(world: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    answer = api.post(f"{_seats(world, ada)}/assign", {"email": "b@x.example"})
    return answer, {"seats": 1, "limit": 1, "assigned": 1}


def _no_seat_left_for_a_file(world: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    answer = api.post(f"{_seats(world, ada)}/bulk", **_csv("b@x.example,assign"))
    detail = "The subscription has 1 seat; 1 is assigned. Unassign somebody, or order more seats."
    return answer, {"seats": 1, "limit": 1, "assigned": 1, "lines": [{"line": 2, "detail": detail}]}


def _invalid_request(_: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    answer = api.get("/v1/orders", params={"limit": "0"})
    return answer, {"errors": [{"parameter": "limit", "detail": "must be at least 1"}]}


def _too_many_declines(world: World, api: Api, _: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    customer = world.customer(card=DECLINES)
    api.use(customer)
    order_id = declined_often(world, customer)
    with world.begin() as session:
        first = text("update charge_attempts set settled_at = '2199-10-31 09:00:00.5+00' where order_id = :id")
        session.execute(first, {"id": order_id})
    answer = api("PUT", f"/v1/accounts/{customer.account_id}/payment-method", json={"token": "pm_card_visa"})
    return answer, {"retry_at": "2199-11-01T09:00:01Z"}


def _payment_method_refused(_: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    answer = api("PUT", f"/v1/accounts/{ada.account_id}/payment-method", json={"token": "pm_card_chargeDeclined"})
    errors = [{"pointer": "/token", "detail": answer.json()["detail"]}]
    return answer, {"decline_code": "generic_decline", "errors": errors}


def _file_refused(world: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    answer = api.post(f"{_seats(world, ada)}/bulk", **_csv("b@x.example,unassign", "b,assign"))
    return answer, {"lines": [{"line": 3, "detail": "not a valid email address"}]}


def _email_twice(world: World, api: Api, ada: Customer) -> tuple[httpx.Response, dict[str, Any]]:
    answer = api.post(f"{_seats(world, ada)}/bulk", **_csv("a@x.example,assign", "a@x.example,assign"))
    detail = "The same user is named more than once; name each user once."
    return answer, {"lines": [{"line": line, "detail": detail} for line in (2, 3)]}


OTHERS: list[tuple[str, Callable[[World, Api, Customer], tuple[httpx.Response, dict[str, Any]]]]] = [
    ("missing-scope", _missing_scope),
    ("quote-expired", _quote_expired),
    ("quote-expired", _quote_expired_before_it_was_confirmed),
    ("quote-used", _quote_used),
    ("not-waiting", _nothing_to_confirm),
    ("not-waiting", _no_method_wanted),
    ("too-late", _too_late),
    ("too-late", _too_late_once_active),
    ("email-taken", _email_taken),
    ("open-order", _open_order),
    ("payment-method-in-use", _payment_method_in_use),
    ("idempotency-key-reused", _key_reused),
    ("no-seat-left", _no_seat_left),
    ("no-seat-left", _no_seat_left_for_a_file),
    ("invalid-request", _invalid_request),
    ("too-many-declines", _too_many_declines),
    ("payment-method-refused", _payment_method_refused),
    ("seat-file-refused", _file_refused),
    ("email-twice", _email_twice),
]


@pytest.mark.parametrize(("code", "provoked"), OTHERS)
def test_a_problem_has_its_members(
    world: World,
    api: Api,
    ada: Customer,
    code: str,
    provoked: Callable[[World, Api, Customer], tuple[httpx.Response, dict[str, Any]]],
) -> None:
    answer, members = provoked(world, api, ada)
    assert problem(answer)[1] == code
    assert {name: value for name, value in answer.json().items() if name not in USUAL} == members


def test_every_type_with_members_is_provoked_here() -> None:
    assert {code for code, _ in OTHERS} == OF_PROBLEM.keys() - set(RefusalCode)


def test_every_member_has_a_form_and_no_form_is_without_a_member() -> None:
    for table, forms, schema in (
        (OF_PROBLEM, FORMS, "ProblemDetails"),
        (OF_REASON, FORMS_OF_REASON, "RefusalProblem"),
    ):
        named = {name for members in table.values() for name in (*members.always, *members.sometimes)}
        assert named - {"errors", "refusals"} == forms.keys()
        assert forms.keys() < SCHEMAS[schema]["properties"].keys()


def test_a_member_says_whose_it_is_and_a_type_says_where_its_members_are() -> None:
    assert SCHEMAS["ProblemDetails"]["properties"]["order_id"] == {
        "type": "string",
        "format": "uuid",
        "description": "the order that was placed before. Of `idempotency-key-reused`, `quote-used` (not always)",
    }
    assert SCHEMAS["RefusalProblem"]["properties"]["support_case"]["type"] == "string"
    told = DOCUMENT["paths"]["/v1/quotes"]["post"]["responses"]["422"]["description"]
    assert "Its reason in `refusals` has `product`, `from_tier`, `to_tier`, `support_case`." in told
    placed = DOCUMENT["paths"]["/v1/orders"]["post"]["responses"]["409"]["description"]
    assert "names it. Has `order_id` (not always).\n" in placed
