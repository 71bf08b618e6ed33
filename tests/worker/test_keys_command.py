"""`prorata keys`: who is let in, what is said of it, and who is shut out."""

import json

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from tasks.upstream import api_keys
from tasks.upstream.api_keys import KeyRefused
from tests.support.world import World
from worker.commands import keys


@pytest.fixture(autouse=True)
def _plugged_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "plug_in_from_settings", lambda: None)
    monkeypatch.setenv("COLUMNS", "170")


def run(*words: str) -> Result:
    return CliRunner().invoke(keys.keys, list(words))


def issue(world: World, name: str, *, accounts: int = 1) -> str:
    chosen = [f"--account={world.customer().account_id}" for _ in range(accounts)]
    return run("issue", name, *chosen, "--scope=orders:read", "--scope=orders:write").stdout.strip()


def test_a_key_is_listed_by_what_it_may_do_and_never_itself(world: World) -> None:
    shop, desk = issue(world, "shop", accounts=2), issue(world, "desk")
    run("revoke", "desk")
    with world.begin() as session:
        session.execute(text("update api_keys set created_at = '2026-11-01 09:00+00'"))
        session.execute(text("update api_keys set revoked_at = '2026-11-02 10:30+00' where revoked_at is not null"))
        session.execute(text("update api_keys set last_used_at = '2026-11-02 10:00+00' where name = 'desk'"))
        ids = {key.name: str(key.id) for key in api_keys.issued(session)}
    read, seen = run("list", "--json").stdout, run("list").stdout
    scopes = ["orders:read", "orders:write"]
    created, revoked = "2026-11-01T09:00:00.000000+00:00", "2026-11-02T10:30:00.000000+00:00"
    used = "2026-11-02T10:00:00.000000+00:00"
    dates = {"created_at": created, "revoked_at": revoked, "last_used_at": used}
    never = {"created_at": created, "revoked_at": None, "last_used_at": None}
    assert json.loads(read) == [
        {"id": ids["desk"], "name": "desk", "scopes": scopes, "accounts": 1, **dates},
        {"id": ids["shop"], "name": "shop", "scopes": scopes, "accounts": 2, **never},
    ]
    assert [line.split() for line in seen.splitlines()] == [
        ["name", "scopes", "accounts", "created", "(UTC)", "revoked", "(UTC)", "last", "used", "(UTC)", "id"],
        [
            "desk",
            *scopes,
            "1",
            "2026-11-01",
            "09:00:00",
            "2026-11-02",
            "10:30:00",
            "2026-11-02",
            "10:00:00",
            ids["desk"],
        ],
        ["shop", *scopes, "2", "2026-11-01", "09:00:00", ids["shop"]],
    ]
    for plain in (shop, desk):
        assert plain not in read + seen
        assert api_keys.digest_of(plain) not in read + seen


def test_a_program_that_issues_a_key_reads_the_key_and_what_it_is_good_for(world: World) -> None:
    account = f"--account={world.customer().account_id}"
    told = json.loads(run("issue", "shop", account, "--scope=orders:read", "--json").stdout)
    with world.begin() as session:
        caller = api_keys.caller_with(session, told["key"])
    assert caller is not None
    assert (told["id"], told["name"], told["scopes"]) == (str(caller.key_id), "shop", ["orders:read"])
    assert (told["accounts"], told["revoked_at"]) == (1, None)


@pytest.mark.parametrize("name", ["", " ", "shop ", "sh\nop", "s" * 101])
def test_a_name_that_nobody_could_read_or_type_again_is_refused(world: World, name: str) -> None:
    refused = run("issue", name, f"--account={world.customer().account_id}").exception
    assert isinstance(refused, KeyRefused)
    assert "one line of 1 to 100 characters" in str(refused)


def test_where_there_is_no_key_that_is_said(world: World) -> None:
    assert run("list").stdout == "No keys: nobody can come in. To let an upstream in: prorata keys issue NAME.\n"
    assert json.loads(run("list", "--json").stdout) == []


def test_a_revoked_key_lets_nobody_in_and_the_others_stay(world: World) -> None:
    shop, desk = issue(world, "shop"), issue(world, "desk")
    answer = run("revoke", "shop")
    assert (answer.exit_code, answer.stdout) == (0, "The key 'shop' is refused from now on.\n")
    with world.begin() as session:
        assert api_keys.caller_with(session, shop) is None
        assert api_keys.caller_with(session, desk) is not None


def test_a_program_reads_when_the_key_was_revoked(world: World) -> None:
    issue(world, "shop")
    told = json.loads(run("revoke", "shop", "--json").stdout)
    assert told == json.loads(run("list", "--json").stdout)[0]
    assert told["revoked_at"] is not None


@pytest.mark.parametrize("name", ["shop", "nobody"])
def test_what_is_not_good_any_more_cannot_be_revoked(world: World, name: str) -> None:
    issue(world, "shop")
    run("revoke", "shop")
    answer = run("revoke", name)
    assert isinstance(answer.exception, KeyRefused)
    assert str(answer.exception) == f"there is no valid key called {name!r}"


def test_no_key_is_made_before_there_is_an_account(world: World) -> None:
    refused = run("issue", "shop")
    assert isinstance(refused.exception, KeyRefused)
    assert "run prorata accounts load FILE first" in str(refused.exception)
    with world.begin() as session:
        assert api_keys.issued(session) == []
