"""The whole stack for a file of tests: real Celery workers, API, stand-ins. It ends with the file: even one that rests takes processor time.

Tests marked `from_outside` know it by its addresses only: of a stack of ours, or of the one that the PRORATA_E2E_ variables tell of.
"""

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from api_stub.demo import all_orders as demo
from api_stub.demo.backstage import Backstage, Here
from tests.support.backstage_by_command import ByCommand
from worker.stack import Addresses, Stack, running


@dataclass(frozen=True, slots=True)
class Outside:
    """A running system, as the world sees it."""

    addresses: Addresses
    backstage: Backstage
    has_clock: bool
    """whether quotes of long ago can be had"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With the settings that the sample orders need; tests bring accounts of their own."""
    with running(tmp_path_factory.mktemp("stack"), chosen=demo.SETTINGS, durable=False) as stack:
        yield stack
        stack.check()


@pytest.fixture(scope="module")
def outside(request: pytest.FixtureRequest) -> Outside:
    if "PRORATA_E2E_URL" not in os.environ:
        stack: Stack = request.getfixturevalue("stack")
        return Outside(stack.addresses, Here(stack.settings), has_clock=True)
    given = {name: os.environ[f"PRORATA_E2E_{name}"] for name in ("URL", "STRIPE_URL", "VIES_URL", "MAILPIT_URL")}
    addresses = Addresses(given["URL"], given["STRIPE_URL"], given["VIES_URL"], given["MAILPIT_URL"])
    return Outside(addresses, ByCommand(shlex.split(os.environ["PRORATA_E2E_PRORATA"])), has_clock=False)
