"""TLS to Redis and PostgreSQL, by settings alone: orders go through, and a certificate that cannot be trusted ends it with advice."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import redis

from models.states import OrderStatus
from tests.support.command import prorata_of_its_own
from tests.support.shopping import bought
from tests.support.tls_fronts import SOMEBODY_ELSES, TRUSTED, TlsFronts, tls_fronts
from worker.command_lines import Worker, worker_command
from worker.drill.detour import with_port
from worker.drill.ground import ground
from worker.drill.kinds import KINDS
from worker.embedded import PostgresServer, RedisServer
from worker.processes import Child, log_says

ADVICE = "name your own authority's certificate in "


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFronts]:
    with tls_fronts(tmp_path_factory.mktemp("tls")) as fronts:
        yield fronts


def over_tls(fronts: TlsFronts, variables: dict[str, str], *, authority: Path = TRUSTED) -> dict[str, str]:
    """The settings of someone whose servers speak nothing but TLS."""
    database, broker = variables["PRORATA_DATABASE_URL"], variables["PRORATA_BROKER_URL"]
    database = with_port(database, fronts.before_postgres(urlsplit(database).port or 0))
    broker = with_port(broker, fronts.before_redis(urlsplit(broker).port or 0)).replace("redis://", "rediss://")
    return variables | {
        "PRORATA_DATABASE_URL": f"{database}?sslmode=verify-full&sslrootcert={authority}",
        "PRORATA_BROKER_URL": f"{broker}?ssl_ca_certs={authority}",
    }


@pytest.mark.timeout(900)
def test_an_order_goes_through_where_redis_and_postgresql_are_reached_by_tls_only(
    fronts: TlsFronts, tmp_path: Path
) -> None:
    with ground(tmp_path, detour=lambda plain: over_tls(fronts, plain), say=print) as prepared:
        assert prepared.stack.variables["PRORATA_BROKER_URL"].startswith("rediss://:")  # with its password
        [order] = bought(prepared, [KINDS[0]], named="tls")
        assert order.status is OrderStatus.COMPLETED
        readiness = httpx.get(f"{prepared.stack.addresses.api}/readyz", trust_env=False, timeout=240).json()["checks"]
        assert (readiness["broker"], readiness["database"]) == ("ok", "ok")
        with redis.Redis.from_url(prepared.stack.redis.url) as plain:
            assert list(plain.scan_iter("*prorata:limits*")) != []  # the API counts requests there, over TLS as well


@pytest.fixture
def plain(postgres_server: PostgresServer, redis_server: RedisServer, fresh_database_url: str) -> dict[str, str]:
    return {
        "PRORATA_DATABASE_URL": fresh_database_url,
        "PRORATA_BROKER_URL": redis_server.url,
        "PRORATA_STRIPE_API_KEY": "sk_test_nobody",
        "PRORATA_STRIPE_WEBHOOK_SECRET": "whsec_nobody",
        "PRORATA_SMTP_HOST": "127.0.0.1",
    }


def prorata(*words: str, variables: dict[str, str]) -> tuple[int, str]:
    """Exit status, and what it said of errors."""
    ended = prorata_of_its_own(*words, **variables)
    return ended.status, ended.err


def test_an_authority_that_is_trusted_lets_commands_through(fronts: TlsFronts, plain: dict[str, str]) -> None:
    assert prorata("orders", "list", variables=over_tls(fronts, plain)) == (0, "")


def test_a_database_of_another_authority_is_refused_with_advice(fronts: TlsFronts, plain: dict[str, str]) -> None:
    status, said = prorata("orders", "list", variables=over_tls(fronts, plain, authority=SOMEBODY_ELSES))
    assert (status, "certificate verify failed" in said, said.count("\n")) == (3, True, 1)
    assert f"{ADVICE}PRORATA_DATABASE_URL (...?sslmode=verify-full&sslrootcert=FILE)" in said
    assert "does not answer" not in said


def test_a_database_that_is_not_the_host_asked_for_is_refused_with_advice(
    fronts: TlsFronts, plain: dict[str, str]
) -> None:
    elsewhere = over_tls(fronts, plain)
    elsewhere["PRORATA_DATABASE_URL"] = (
        elsewhere["PRORATA_DATABASE_URL"].replace("@127.0.0.1", "@elsewhere.example") + "&hostaddr=127.0.0.1"
    )
    status, said = prorata("orders", "list", variables=elsewhere)
    assert (status, "does not match host name" in said, ADVICE in said) == (3, True, True)


def test_a_broker_of_another_authority_is_refused_with_advice(fronts: TlsFronts, plain: dict[str, str]) -> None:
    status, said = prorata("worker-health", "orders", variables=over_tls(fronts, plain, authority=SOMEBODY_ELSES))
    assert (status, "certificate verify failed" in said) == (3, True)
    assert f"{ADVICE}PRORATA_BROKER_URL (rediss://...?ssl_ca_certs=FILE)" in said


def test_a_broker_is_not_trusted_blindly_where_no_authority_is_named(fronts: TlsFronts, plain: dict[str, str]) -> None:
    variables = over_tls(fronts, plain)
    variables["PRORATA_BROKER_URL"] = variables["PRORATA_BROKER_URL"].partition("?")[0]
    status, said = prorata("worker-health", "orders", variables=variables)
    assert (status, "certificate verify failed" in said) == (3, True)


def test_a_worker_that_does_not_trust_its_broker_says_what_to_do(
    fronts: TlsFronts, plain: dict[str, str], tmp_path: Path
) -> None:
    env = os.environ | over_tls(fronts, plain, authority=SOMEBODY_ELSES)
    child = Child(name="worker", command=worker_command(Worker.ORDERS), folder=tmp_path, env=env)
    try:
        child.start(ready=log_says(ADVICE), deadline=240)
        assert " ready." not in child.output()
    finally:
        child.stop(now=True)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("ssl_ca_certs=/nowhere/ca.pem", "ssl_ca_certs: there is no file /nowhere/ca.pem"),
        ("ssl_cert_reqs=sometimes", "ssl_cert_reqs must be required (the default) or none"),
    ],
)
def test_a_broker_address_that_cannot_work_is_refused_at_the_start(plain: dict[str, str], query: str, why: str) -> None:
    variables = plain | {"PRORATA_BROKER_URL": f"rediss://:secret@127.0.0.1:1/0?{query}"}
    status, said = prorata("settings", variables=variables)
    assert (status, f"PRORATA_BROKER_URL: {why}" in said, "secret" in said) == (2, True, False)


def test_celery_s_spelling_of_the_check_is_understood_everywhere(fronts: TlsFronts, plain: dict[str, str]) -> None:
    variables = over_tls(fronts, plain)
    variables["PRORATA_BROKER_URL"] += "&ssl_cert_reqs=CERT_REQUIRED"
    status, said = prorata("worker-health", "orders", "--within=0.1", variables=variables)
    assert (status, "took no message" in said) == (1, True)
