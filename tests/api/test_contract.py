"""The application keeps to its OpenAPI, whatever is sent: documented answers only, never a 500 (Schemathesis)."""

from typing import Any
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import config
from schemathesis.generation import GenerationMode

from api_stub.app import create_app
from api_stub.parts import Parts
from tests.api.conftest import Api, purchase
from tests.support import world as worlds
from tests.support.world import Customer, World

pytestmark = pytest.mark.timeout(120)

EXAMPLES = 8
"""per route, beside those that Schemathesis works out from the schema itself"""


def _never() -> Parts:
    raise AssertionError("only its description is asked for")


REFUSED_BY_RULES = config.PositiveDataAcceptanceConfig(
    # A well-formed cart, address or file may still be one that our rules refuse, with a problem that says why;
    # and Stripe's signature cannot be guessed (400).
    expected_statuses=["2xx", "400", "401", "403", "404", "409", "422"]
)
SCHEMA = schemathesis.openapi.from_dict(
    create_app(_never).openapi(),
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
