"""API keys from issue to revocation: what the API makes of each."""

import hashlib
from functools import partial

import pytest

from api_stub.auth import PresentedKey
from api_stub.edge.rate_limit import RateLimit
from models.api_keys import ApiKey, ApiKeyAccount
from tasks.upstream import api_keys
from tasks.upstream.api_keys import KeyRefused, Scope
from tests.api.conftest import Api, problem, purchase
from tests.support.world import Customer, World
from worker.embedded import RedisServer


def test_a_revoked_key_is_refused(world: World, api: Api, ada: Customer) -> None:
    api.key = api.key_for(ada, name="shop")
    assert api.get("/v1/orders").status_code == 200
    with world.begin() as session:
        api_keys.revoke(session, name="shop", by="root")
    assert problem(api.get("/v1/orders")) == (401, "unauthorized")


def test_of_a_key_only_its_hash_is_kept(world: World, api: Api, ada: Customer) -> None:
    digests = {row.digest for row in world.rows(ApiKey)}
    assert digests == {hashlib.sha256(api.key.encode()).hexdigest()}
    assert (api.key[:4], len(api.key)) == ("prk_", 47)


def test_a_key_that_was_presented_is_not_shown(redis_server: RedisServer) -> None:
    presented = PresentedKey("prk_hush", Scope.ORDERS_READ, RateLimit("1/second", redis_server.url))
    assert "hush" not in repr(presented)


def test_a_key_issued_again_reaches_the_accounts_it_is_given_now_and_no_others(world: World, api: Api) -> None:
    plain = "prk_" + "0123456789abcdef" * 2
    first, second, third = world.customer(), world.customer(), world.customer()
    other = api.key_for(first)
    for bound in ([first, second], [second, third]):
        with world.begin() as session:
            ids = [customer.account_id for customer in bound]
            scopes = ["accounts:read"]
            issued = api_keys.issue(session, name="sample", scopes=scopes, account_ids=ids, by="root", key=plain)
            assert issued.key == plain
    api.key = plain
    answers = [api.get(f"/v1/accounts/{each.account_id}").status_code for each in (first, second, third)]
    assert answers == [404, 200, 200]
    api.key = other
    assert api.get(f"/v1/accounts/{first.account_id}").status_code == 200


def test_a_key_reaches_an_account_that_it_is_allowed_later_and_none_that_it_is_disallowed(
    world: World, api: Api
) -> None:
    first, later = world.customer(), world.customer()
    api.key = api.key_for(first, name="shop")
    assert problem(api.quote(later, purchase())) == (404, "not-found")
    with world.begin() as session:
        api_keys.allow(session, name="shop", account_ids=[later.account_id, first.account_id], by="root")
    assert [api.quote(each, purchase()).status_code for each in (first, later)] == [201, 201]
    with world.begin() as session:
        api_keys.disallow(session, name="shop", account_ids=[first.account_id], by="root")
    assert [api.quote(each, purchase()).status_code for each in (first, later)] == [404, 201]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"scopes": ["orders:eat"]}, "unknown scopes: orders:eat"),
        ({"key": "prk_short"}, "at least 32 characters"),
        ({"key": "sk_" + "0" * 40}, "starts with prk_"),
        ({"key": "prk_" + "a" * 40}, "can be guessed: make it at random, such as by `openssl rand -hex 32`"),
        ({"key": "prk_" + "1234567" * 6}, "can be guessed"),
        ({"name": "taken"}, "another key called 'taken'"),
    ],
)
def test_a_key_that_cannot_be_is_not_issued(world: World, api: Api, wrong: dict[str, object], says: str) -> None:
    api.key_for(name="taken")
    values = {"name": "new", "scopes": ["orders:read"], "account_ids": [], "by": "root"} | wrong
    with world.begin() as session, pytest.raises(KeyRefused, match=says):
        api_keys.issue(session, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["shop", "shop again"])
def test_a_revoked_key_is_not_issued_again_and_stays_as_it_was(world: World, name: str) -> None:
    before = world.customer()
    issue = partial(api_keys.issue, by="root", key="prk_" + "0123456789abcdef" * 2)
    with world.begin() as session:
        issue(session, name="shop", scopes=["orders:read"], account_ids=[before.account_id])
        api_keys.revoke(session, name="shop", by="root")
    with (
        pytest.raises(KeyRefused, match="this key has been revoked permanently; issue a new one"),
        world.begin() as session,
    ):
        issue(session, name=name, scopes=["accounts:read"], account_ids=[])
    assert [(row.name, row.scopes) for row in world.rows(ApiKey)] == [("shop", ["orders:read"])]
    assert [row.account_id for row in world.rows(ApiKeyAccount)] == [before.account_id]
