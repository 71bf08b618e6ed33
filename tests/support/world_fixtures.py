"""A world for each test: what lasts as long as the test run, and a database that nobody else has meanwhile."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from tasks import wiring
from tasks.policy import Policy
from tests.support.catalogue import add_catalogue
from tests.support.engines import done_with, engine_for
from tests.support.lent_database import LentDatabase
from tests.support.mailbox import Mailbox, running_mailbox
from tests.support.stripe_stand_in import StripeStandIn
from tests.support.vies_stand_in import ViesStandIn, running_vies
from tests.support.world import SELLER, World
from worker.adapters.mime import Sender
from worker.adapters.smtp import SmtpMailer
from worker.adapters.smtp_dialogue import Server
from worker.adapters.vies import Vies
from worker.database import Transactions
from worker.embedded import PostgresServer


@pytest.fixture(scope="session")
def shared_vies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViesStandIn]:
    with running_vies(tmp_path_factory.mktemp("vies")) as vies:
        yield vies


@pytest.fixture(scope="session")
def shared_mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    with running_mailbox(tmp_path_factory.mktemp("mailbox")) as mailbox:
        yield mailbox


@pytest.fixture(scope="session")
def stocked_database(postgres_server: PostgresServer, template_database: str) -> str:
    """Name of a database with the catalogue in it, that the worlds' databases are copies of."""
    engine = create_engine(postgres_server.create_database("stocked", template=template_database))
    with Transactions(engine)() as session:
        add_catalogue(session)
    engine.dispose()
    return "stocked"


@pytest.fixture(scope="session")
def lent_database(postgres_server: PostgresServer, stocked_database: str) -> Iterator[LentDatabase]:
    lent = LentDatabase(postgres_server, template=stocked_database, name="world")
    yield lent
    lent.drop()


@pytest.fixture
def world_database_url(lent_database: LentDatabase) -> Iterator[str]:
    yield lent_database.lend()
    lent_database.take_back()


@pytest.fixture
def world(
    world_database_url: str, stripe_server: StripeStandIn, shared_vies: ViesStandIn, shared_mailbox: Mailbox
) -> Iterator[World]:
    engine = engine_for(world_database_url, pool_size=10)
    transactions = Transactions(engine)
    parts = wiring.Wiring(
        begin=transactions,
        payments=stripe_server.payments(patience=0.4, read_timeout=60),
        vat_registry=Vies(
            base_url=shared_vies.base_url, timeout=240, total_timeout=120, attempts=2, now=lambda: made.time
        ),
        mailer=SmtpMailer(
            Server(host=shared_mailbox.host, port=shared_mailbox.port, tls="none", timeout=240, answer_timeout=60),
            Sender.read("billing@prorata.example", "Prorata Billing"),
            attempts=2,
        ),
        policy=Policy(seller=SELLER),
        now=lambda: made.time,
    )
    made = World(transactions, stripe_server, shared_vies, shared_mailbox, parts)
    wiring.plug_in(parts)
    yield made
    shared_vies.forget()
    shared_mailbox.forget()
    done_with(engine)
