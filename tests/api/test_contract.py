"""The application keeps to its OpenAPI, whatever is sent: documented answers only, never a 500 (Schemathesis)."""

from copy import deepcopy
from typing import Any
from uuid import UUID, uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import config
from schemathesis.generation import GenerationMode

from api_stub.problems.details import BASE
from api_stub.problems.problem_types import TYPES
from models.accounts import Language
from models.rules.cart import Action, SubscriptionStatus
from models.states import OrderStatus
from tasks.upstream.seats import MAX_CHANGES
from tests.api.conftest import Api, purchase
from tests.support import world as worlds
from tests.support.contract import DOCUMENT, fits, operations, shown_in
from tests.support.world import Customer, World
from worker.settings import Settings

pytestmark = pytest.mark.timeout(300)

EXAMPLES = 8
"""per route, beside those that Schemathesis works out from the schema itself"""


REFUSED_BY_RULES = config.PositiveDataAcceptanceConfig(
    # A well-formed cart, address or file may still be one that our rules refuse, with a problem that says why;
    # and Stripe's signature cannot be guessed (400).
    expected_statuses=["2xx", "400", "401", "403", "404", "409", "422"]
)


def _with_the_form_of_an_event() -> dict[str, Any]:
    """Schemathesis holds each event of a stream against the schema; a reader of the document gets the stream as text."""
    document = deepcopy(DOCUMENT)
    answers = document["paths"]["/v1/orders/{order_id}/events"]["get"]["responses"]
    entry = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": "#/components/schemas/EventView"},
    }
    event = {"id": {"type": "string", "pattern": "^[0-9]+$"}, "event": {"type": "string"}, "data": entry}
    event["retry"] = {"type": "integer"}
    answers["200"]["content"]["text/event-stream"] = {"schema": {"type": "object", "properties": event}}
    return document


SCHEMA = schemathesis.openapi.from_dict(
    _with_the_form_of_an_event(),
    config=config.SchemathesisConfig(
        projects=config.ProjectsConfig(
            default=config.ProjectConfig(
                checks=config.ChecksConfig(positive_data_acceptance=REFUSED_BY_RULES),
                generation=config.GenerationConfig(deterministic=True, with_security_parameters=False),
                max_stream_events=5,
            )
        )
    ),
)


def test_every_type_of_problem_is_told_of_with_its_meaning() -> None:
    answers = [answer for _, told in operations() for answer in told["responses"].values()]
    told = DOCUMENT["info"]["description"] + "".join(answer["description"] for answer in answers)
    assert [code for code, (_, meaning) in TYPES.items() if f"`{code}`: {meaning}" not in told] == []


def test_a_problem_is_told_of_where_it_may_be_answered_and_nowhere_else() -> None:
    cancelled = DOCUMENT["paths"]["/v1/orders/{order_id}/cancel"]["post"]["responses"]
    (_, types) = cancelled["409"]["content"]["application/problem+json"]["schema"]["allOf"]
    assert types["properties"]["type"]["enum"] == [BASE + "too-late"]
    assert list(cancelled) == ["200", "401", "403", "404", "409", "422", "429", "500", "503"]
    assert "503" not in DOCUMENT["paths"]["/metrics"]["get"]["responses"]


def test_a_reader_is_told_how_long_quotes_live_and_orders_wait() -> None:
    minutes, days, bank = (
        Settings.model_fields[name].default for name in ("quote_minutes", "waiting_days", "authentication_minutes")
    )
    assert f"binding for {minutes} minutes" in DOCUMENT["info"]["description"]
    told = DOCUMENT["components"]["schemas"]["OrderView"]["properties"]["waits_until"]["description"]
    assert f"{days} days" in told
    assert f"{bank} minutes" in told


def test_a_reader_is_told_that_nobody_calls_and_how_to_learn_of_an_orders_end() -> None:
    told = DOCUMENT["info"]["description"]
    assert "Nobody calls you" in told
    assert "an order can end days after it was placed" in told


def test_what_a_customer_may_read_is_in_the_accounts_language_whatever_language_is_asked_for(
    world: World, api: Api
) -> None:
    customer = world.customer(language=Language.DE)
    api.use(customer)
    french = {"headers": {"Accept-Language": "fr"}}
    body = {"account_id": str(customer.account_id), "contact_id": str(customer.contact_id), "lines": []}
    refused = api.post("/v1/quotes", body, **french)
    assert refused.json()["detail"] == "Der Warenkorb ist leer. Bitte fügen Sie ein Produkt hinzu."
    nothing = api.post(f"/v1/orders/{uuid4()}/cancel", **french)
    assert nothing.json()["detail"] == "There is no such order."
    assert "`Accept-Language` is ignored" in DOCUMENT["info"]["description"]


@pytest.mark.parametrize(("name", "told"), operations())
def test_what_is_not_given_is_left_out_of_the_query_and_the_headers(name: str, told: dict[str, Any]) -> None:
    for parameter in told.get("parameters", []):
        assert not fits(None, parameter["schema"]), f"{name}: {parameter['name']}"
        assert parameter["schema"].keys().isdisjoint({"ge", "gt", "le", "lt"})


@pytest.mark.parametrize(("name", "told"), operations())
def test_each_request_has_an_example_and_every_example_is_valid(name: str, told: dict[str, Any]) -> None:
    sent = list(told.get("requestBody", {}).get("content", {}).values())
    answered = [each for answer in told["responses"].values() for each in answer.get("content", {}).values()]
    for media in [*sent, *(each for each in answered if "example" in each)]:
        assert fits(shown_in(media), media["schema"]), f"{name}: {shown_in(media)}"


def test_a_reader_is_told_how_many_minor_units_there_are() -> None:
    told = DOCUMENT["components"]["schemas"]["Money"]["properties"]["minor"]["description"]
    assert "ISO 4217" in told
    assert "KWD" in told


def test_a_reader_is_told_how_wide_amounts_and_numbers_are() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    wide = [("Money", "minor"), ("OrderPlaced", "number"), ("OrderView", "number"), ("EventView", "id")]
    assert {schemas[schema]["properties"][name]["format"] for schema, name in wide} == {"int64"}


def test_one_name_means_one_thing_in_all_that_is_shown_of_an_order() -> None:
    placed, listed, shown = (
        DOCUMENT["components"]["schemas"][name]["properties"] for name in ("OrderPlaced", "OrderSummary", "OrderView")
    )
    assert "created_at" in placed.keys() & listed.keys() & shown.keys()
    assert {"status", "final", "finished_at"} <= listed.keys() & shown.keys()
    assert listed["finished_at"]["description"] == shown["finished_at"]["description"]
    assert "reason" not in listed  # the code alone, which OrderView's has beside a text
    assert (
        listed["reason_code"]["description"]
        == DOCUMENT["components"]["schemas"]["Reason"]["properties"]["code"]["description"]
    )


def test_a_reader_is_told_that_nothing_renews_and_that_active_does_not_end_by_itself() -> None:
    subscription = DOCUMENT["components"]["schemas"]["SubscriptionView"]["properties"]
    assert [each for each in SubscriptionStatus if f"`{each}`" not in subscription["status"]["description"]] == []
    assert "does not end by itself" in subscription["status"]["description"]
    assert "Nothing renews by itself" in subscription["period"]["description"]
    assert "in the future" in subscription["period"]["description"]
    assert "Nothing renews by itself" in DOCUMENT["info"]["description"]


def test_a_reader_is_told_how_many_changes_a_file_of_seats_may_have() -> None:
    bulk = DOCUMENT["paths"]["/v1/subscriptions/{subscription_id}/seats/bulk"]["post"]
    assert f"{MAX_CHANGES:,} changes" in bulk["requestBody"]["description"]


@pytest.mark.parametrize("schema", ["OrderView", "OrderSummary"])
def test_each_status_of_an_order_is_explained(schema: str) -> None:
    told = DOCUMENT["components"]["schemas"][schema]["properties"]["status"]["description"]
    assert [status for status in OrderStatus if f"`{status}`" not in told] == []


@pytest.mark.parametrize(
    ("schema", "always"),
    [("OrderPlaced", "status"), ("NextStep", "url"), ("Received", "received"), ("Alive", "status")],
)
def test_what_is_always_answered_is_required(schema: str, always: str) -> None:
    assert always in DOCUMENT["components"]["schemas"][schema]["required"]


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/v1/orders/{order_id}/events", "text/event-stream"),
        ("/v1/orders/{order_id}/invoice.pdf", "application/pdf"),
        ("/v1/orders/{order_id}/invoice.html", "text/html"),
        ("/metrics", "text/plain"),
    ],
)
def test_what_is_no_json_is_not_said_to_be(path: str, media: str) -> None:
    assert list(DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]) == [media]


def test_a_stream_of_events_is_text() -> None:
    told = DOCUMENT["paths"]["/v1/orders/{order_id}/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert told["schema"]["type"] == "string"
    assert "`EventView`" in told["schema"]["description"]


@pytest.mark.parametrize(
    ("path", "tag"), [("/v1/orders/{order_id}/explanation", "orders"), ("/v1/quotes/{quote_id}/explanation", "quotes")]
)
def test_an_operation_has_the_tag_of_its_address(path: str, tag: str) -> None:
    assert DOCUMENT["paths"][path]["get"]["tags"] == [tag]


@pytest.mark.parametrize("schema", ["AccountPatch", "ContactPatch"])
def test_a_patch_that_changes_nothing_is_not_what_is_asked_for(schema: str) -> None:
    assert DOCUMENT["components"]["schemas"][schema]["minProperties"] == 1


@pytest.mark.parametrize(
    ("address", "fit"),
    [("Musterstr. 1\n10115 Berlin", True), ("Musterstr. 1\r\n10115 Berlin", True), ("a\rb", False), ("a\tb", False)],
)
def test_an_address_is_told_to_be_lines_of_text(api: Api, ada: Customer, address: str, fit: bool) -> None:
    told = DOCUMENT["components"]["schemas"]["AccountPatch"]["properties"]["address"]
    answer = api("PATCH", f"/v1/accounts/{ada.account_id}", json={"address": address})
    assert (fits(address, told), answer.status_code) == ((True, 200) if fit else (False, 422))


def test_a_reader_is_told_which_reasons_against_a_cart_are_given() -> None:
    told = DOCUMENT["paths"]["/v1/quotes"]["post"]["description"]
    assert "against every line that cannot be ordered" in told
    assert "for most rules the first reason only" in told


@pytest.mark.parametrize(
    "answer",
    [
        "cannot pass 3-D Secure",
        "`GET /v1/orders?status=refunded&status=needs_attention`",
        "ignore fields that you do not know",
    ],
)
def test_a_reader_finds_what_a_shop_asks_for(answer: str) -> None:
    assert answer in DOCUMENT["info"]["description"]


def test_a_reader_is_told_how_an_expired_quote_is_replaced_and_what_each_action_does() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert "the order's own `lines`" in schemas["NextStep"]["properties"]["action"]["description"]
    assert "a newer quote for the same cart" in schemas["ConfirmationWanted"]["properties"]["quote_id"]["description"]
    told = schemas["LineWanted"]["properties"]["action"]["description"]
    assert [action for action in Action if f"`{action}`: " not in told] == []


@pytest.fixture
def names(world: World, api: Api, ada: Customer) -> dict[str, str]:
    """Real things, so that well-formed requests get past the door."""
    completed = world.buy(ada, worlds.purchase(seats=3))  # its stream of events ends by itself
    return {
        "account_id": str(ada.account_id),
        "contact_id": str(ada.contact_id),
        "quote_id": api.quote(ada, purchase("wiki")).json()["id"],
        "order_id": str(completed.id),
        "subscription_id": str(world.subscription(ada, "desk").id),
    }


@SCHEMA.include(path_regex="^/v1/").parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_sent_the_answer_is_a_documented_one(
    case: schemathesis.Case[Any], live: str, api: Api, names: dict[str, str]
) -> None:
    if case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE:
        _use_real(case.path_parameters, names)
        _use_real(case.body, names)
    case.call_and_validate(base_url=live, headers={"Authorization": f"Bearer {api.key}"}, timeout=20)


def _use_real(values: Any, names: dict[str, str]) -> None:
    if not isinstance(values, dict):
        return
    for name in values.keys() & names.keys():
        if _is_uuid(values[name]):
            values[name] = names[name]


def _is_uuid(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True
