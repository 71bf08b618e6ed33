"""The registry and the mailbox as each test finds them and leaves them: without faults, the mailbox empty."""

from collections.abc import Iterator

import pytest

from tests.support.mailbox import Mailbox
from tests.support.vies_stand_in import ViesStandIn


@pytest.fixture
def vies(shared_vies: ViesStandIn) -> Iterator[ViesStandIn]:
    yield shared_vies
    shared_vies.forget()


@pytest.fixture
def mailbox(shared_mailbox: Mailbox) -> Iterator[Mailbox]:
    yield shared_mailbox
    shared_mailbox.forget()
