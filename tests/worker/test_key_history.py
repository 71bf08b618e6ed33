"""What happened to an API key can be looked up later: what was done, for which accounts, by whom, when and why."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, func, insert, literal, select, text
from sqlalchemy.exc import IntegrityError
from typer.testing import CliRunner, Result

from models.accounts import Account
from models.api_keys import ApiKeyAccount, ApiKeyChange, KeyChange
from models.cart_facts import UnknownAccount
from tasks.upstream import api_keys
from tasks.upstream.api_keys import KeyRefused
from tests.support.world import Customer, World
from worker.commands import keys

DEPLOYING = (Path(__file__).parents[2] / "docs" / "deploying.md").read_text()
OLGA = ("--by", "olga", "--why", "ticket 4711")
MADE_ELSEWHERE = "prk_" + "0123456789abcdef" * 2
UNKNOWN = {
    "accounts": None,
    "accounts_cut": False,
    "accounts_in_all": None,
    "name": None,
    "scopes": None,
    "changed_by": None,
    "changed_why": None,
}


pytestmark = pytest.mark.usefixtures("plugged_in")


@pytest.fixture
def ada(world: World) -> Customer:
    return world.customer(name="Ada Ltd")


@pytest.fixture
def bob(world: World) -> Customer:
    return world.customer(name="Bob & Sons")


def run(*words: str) -> Result:
    return CliRunner().invoke(keys.keys, list(words))


def as_json(*words: str) -> Any:
    answer = run(*words, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def of(*customers: Customer) -> list[str]:
    return [f"--account={customer.account_id}" for customer in customers]


def issue(*customers: Customer, name: str = "shop") -> str:
    return run("issue", name, *of(*customers), "--scope=orders:read", "--by=root").stdout.strip()


def history(name: str = "shop") -> list[tuple[str, list[str], str, str | None]]:
    """What was done, names of the accounts, by whom, why."""
    return [
        (each["what"], [account["name"] for account in each["accounts"]], each["changed_by"], each["changed_why"])
        for each in as_json("show", name)["history"]
    ]


def test_every_change_of_a_key_is_recorded_with_its_accounts_who_made_it_and_why(ada: Customer, bob: Customer) -> None:
    run("issue", "shop", *of(ada), "--scope=orders:read", "--by=root", "--why=pilot")
    run("allow", "shop", *of(bob), *OLGA)
    run("disallow", "shop", *of(ada), "--by", "olga")
    run("revoke", "shop", "--by=root", "--why=leaked")
    shown = as_json("show", "shop")
    named = {
        "ada": {"id": str(ada.account_id), "name": "Ada Ltd"},
        "bob": {"id": str(bob.account_id), "name": "Bob & Sons"},
    }
    times = [each.pop("changed_at") for each in shown["history"]]
    key = {"name": "shop", "scopes": ["orders:read"], "accounts_cut": False, "accounts_in_all": 1}
    assert shown["history"] == [
        {"what": "issued", "accounts": [named["ada"]], **key, "changed_by": "root", "changed_why": "pilot"},
        {"what": "allowed", "accounts": [named["bob"]], **key, "changed_by": "olga", "changed_why": "ticket 4711"},
        {"what": "disallowed", "accounts": [named["ada"]], **key, "changed_by": "olga", "changed_why": None},
        {"what": "revoked", "accounts": [named["bob"]], **key, "changed_by": "root", "changed_why": "leaked"},
    ]
    assert (times[0], times[-1]) == (shown["created_at"], shown["revoked_at"])
    assert times == sorted(set(times))


def test_each_line_says_who_gave_the_key_which_account(ada: Customer, bob: Customer) -> None:
    issue(ada, bob)
    run("disallow", "shop", *of(bob), *OLGA)
    shown = run("show", "shop").stdout
    times = [
        f"{datetime.fromisoformat(each['changed_at']):%Y-%m-%d %H:%M:%S}" for each in as_json("show", "shop")["history"]
    ]
    lines = [line.split() for line in shown.partition("changed (UTC)")[2].splitlines()[1:]]
    assert lines == [
        [*times[0].split(), "issued", "root", str(ada.account_id), "Ada", "Ltd"],
        [*times[0].split(), "issued", "root", str(bob.account_id), "Bob", "&", "Sons"],
        [*times[1].split(), "disallowed", "olga", str(bob.account_id), "Bob", "&", "Sons", "ticket", "4711"],
    ]


def test_a_key_for_all_accounts_is_bound_and_recorded_without_reading_them(
    world: World, ada: Customer, bob: Customer
) -> None:
    """There may be a million."""
    read: list[str] = []

    def note(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        columns = [each.name for each in cursor.description or ()]
        if columns and (cursor.rowcount > 1 or {"accounts", "api_key_changes_accounts"} & {*columns}):
            read.append(statement)

    engine = world.transactions.engine
    event.listen(engine, "after_cursor_execute", note)
    run("issue", "shop", "--by=root")
    assert len(as_json("list")) == 1
    assert as_json("show", "shop", "--limit=1")["accounts"] == 2
    run("revoke", "shop", "--by=root")
    event.remove(engine, "after_cursor_execute", note)
    both = ["Ada Ltd", "Bob & Sons"]
    assert read == []
    assert history() == [("issued", both, "root", None), ("revoked", both, "root", None)]


def test_a_key_for_many_accounts_is_issued_again_for_one(world: World, ada: Customer, bob: Customer) -> None:
    """PostgreSQL takes 65,535 parameters in a statement."""
    row = select(func.gen_random_uuid(), literal("Many"), literal("DE"), literal("EUR"))
    rows = row.select_from(func.generate_series(1, 69_999))
    with world.begin() as session:
        session.execute(insert(Account).from_select(["id", "name", "country", "currency"], rows))
    again = ("issue", "shop", f"--key={MADE_ELSEWHERE}")
    assert [run(*again).exit_code, run(*again, *of(ada)).exit_code] == [0, 0]
    with world.begin() as session:
        recorded = session.execute(
            text("select what, cardinality(accounts), :ada = any(accounts) from api_key_changes order by changed_at"),
            {"ada": ada.account_id},
        )
        assert [tuple(each) for each in recorded] == [("issued", 70_001, True), ("disallowed", 70_000, False)]
        assert session.scalars(select(ApiKeyAccount.account_id)).all() == [ada.account_id]


def test_only_the_accounts_that_a_command_changes_are_recorded(ada: Customer, bob: Customer) -> None:
    issue(ada)
    run("allow", "shop", *of(ada, bob), *OLGA)
    run("allow", "shop", *of(ada, bob), *OLGA)
    run("disallow", "shop", *of(bob), *OLGA)
    run("disallow", "shop", *of(bob), *OLGA)
    assert history() == [
        ("issued", ["Ada Ltd"], "root", None),
        ("allowed", ["Bob & Sons"], "olga", "ticket 4711"),
        ("disallowed", ["Bob & Sons"], "olga", "ticket 4711"),
    ]


def test_what_changes_nothing_says_that_it_records_nothing(ada: Customer, bob: Customer) -> None:
    issue(ada)
    assert run("allow", "shop", *of(ada), *OLGA).stdout == (
        "The key 'shop' may act for 1 account, none of them new; nothing is recorded.\n"
    )
    assert run("disallow", "shop", *of(bob), *OLGA).stdout == (
        "The key 'shop' may act for 1 account, as before; nothing is recorded.\n"
    )
    assert as_json("allow", "shop", *of(ada), *OLGA)["recorded"] == []
    assert as_json("disallow", "shop", *of(bob), *OLGA)["recorded"] == []
    assert history() == [("issued", ["Ada Ltd"], "root", None)]


def test_a_program_reads_what_its_command_recorded(ada: Customer, bob: Customer) -> None:
    recorded = [
        as_json(*words)["recorded"]
        for words in (
            ("issue", "shop", *of(ada), *OLGA),
            ("allow", "shop", *of(bob), *OLGA),
            ("disallow", "shop", *of(ada), *OLGA),
            ("revoke", "shop", *OLGA),
        )
    ]
    assert [each for [each] in recorded] == as_json("show", "shop")["history"]


def test_a_key_made_elsewhere_that_is_issued_again_has_each_difference_recorded(ada: Customer, bob: Customer) -> None:
    made = ("--key", MADE_ELSEWHERE)
    run("issue", "shop", *of(ada), "--scope=orders:read", *made, "--by=root")
    again = ("issue", "desk", *of(ada, bob), "--scope=orders:write", *made, "--by=olga")
    first, second = run(*again), run(*again)
    assert (first.stdout, first.stderr) == (f"{MADE_ELSEWHERE}\n", "")
    assert (second.stdout, second.stderr) == (
        f"{MADE_ELSEWHERE}\n",
        "The key 'desk' was issued like this before; nothing is recorded.\n",
    )
    assert as_json(*again)["recorded"] == []
    run("issue", "desk", *of(bob), "--scope=orders:write", *made, "--by=olga")
    assert history("desk") == [
        ("issued", ["Ada Ltd"], "root", None),
        ("renamed", [], "olga", None),
        ("scopes_changed", ["Ada Ltd"], "olga", None),
        ("allowed", ["Bob & Sons"], "olga", None),
        ("disallowed", ["Ada Ltd"], "olga", None),
    ]
    states = [(each["name"], each["scopes"]) for each in as_json("show", "desk")["history"]]
    assert states == [("shop", ["orders:read"]), *[("desk", ["orders:write"])] * 4]
    shown = run("show", "desk").stdout
    assert "renamed to desk" in shown
    assert "scopes changed to orders:write" in shown


def test_what_is_refused_is_not_recorded(ada: Customer, bob: Customer) -> None:
    issue(ada)
    assert isinstance(run("allow", "shop", *of(bob), "--account=nobody", *OLGA).exception, UnknownAccount)
    assert isinstance(run("issue", "shop", *of(bob), *OLGA).exception, KeyRefused)
    run("revoke", "shop", *OLGA)
    for words in (("allow", "shop", *of(bob)), ("disallow", "shop", *of(ada)), ("revoke", "shop")):
        assert isinstance(run(*words, *OLGA).exception, KeyRefused)
    assert [what for what, *_ in history()] == ["issued", "revoked"]


def test_a_change_that_is_not_committed_leaves_no_record(world: World, ada: Customer, bob: Customer) -> None:
    issue(ada)
    with world.begin() as session:
        api_keys.allow(session, name="shop", account_ids=[bob.account_id], by="olga")
        api_keys.revoke(session, name="shop", by="olga")
        session.rollback()
    assert [row.account_id for row in world.rows(ApiKeyAccount)] == [ada.account_id]
    assert [row.what for row in world.rows(ApiKeyChange)] == [KeyChange.ISSUED]


def test_of_two_who_allow_the_same_account_at_once_one_is_recorded(world: World, ada: Customer, bob: Customer) -> None:
    issue(ada)

    def allow(by: str) -> None:
        with world.begin() as session:
            api_keys.allow(session, name="shop", account_ids=[bob.account_id], by=by)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(allow, "wxyz"))
    assert [row.what for row in world.rows(ApiKeyChange)] == [KeyChange.ISSUED, KeyChange.ALLOWED]


def test_of_a_key_from_before_there_was_a_record_only_what_is_known_is_told(
    world: World, ada: Customer, bob: Customer
) -> None:
    issue(ada)
    with world.begin() as session:
        session.execute(text("alter table api_key_changes disable trigger user"))
        session.execute(text("delete from api_key_changes"))
        session.execute(text("alter table api_key_changes enable trigger user"))
        session.execute(text("update api_keys set created_at = '2026-11-01 09:00+00'"))
    run("allow", "shop", *of(bob), *OLGA)
    issued, allowed = as_json("show", "shop")["history"]
    assert issued == {"changed_at": "2026-11-01T09:00:00.000000+00:00", "what": "issued", **UNKNOWN}
    assert (allowed["what"], allowed["changed_by"]) == ("allowed", "olga")
    with world.begin() as session:
        session.execute(text("update api_keys set revoked_at = '2999-11-02 10:30+00'"))
    assert as_json("show", "shop")["history"] == [
        issued,
        allowed,
        {"changed_at": "2999-11-02T10:30:00.000000+00:00", "what": "revoked", **UNKNOWN},
    ]
    first, _, last = [
        line.split() for line in run("show", "shop").stdout.partition("changed (UTC)")[2].splitlines()[1:]
    ]
    assert (first, last) == (["2026-11-01", "09:00:00", "issued"], ["2999-11-02", "10:30:00", "revoked"])


@pytest.mark.parametrize("option", ["--why", "--by"])
@pytest.mark.parametrize("command", ["issue", "allow", "disallow", "revoke"])
def test_a_key_that_is_given_as_the_reason_is_not_kept(world: World, ada: Customer, command: str, option: str) -> None:
    plain = issue(ada)
    words = {"issue": ("desk", *of(ada)), "revoke": ("shop",)}.get(command, ("shop", *of(ada)))
    answer = run(command, *words, option, f"found {plain} in a mail")
    assert isinstance(answer.exception, KeyRefused)
    assert (
        str(answer.exception) == "names, --by and --why are kept, so no API key may be in them: call a key by its name"
    )
    assert plain not in answer.output + str(answer.exception)
    assert [row.what for row in world.rows(ApiKeyChange)] == [KeyChange.ISSUED]


def test_no_key_and_no_hash_is_in_the_history(world: World, ada: Customer) -> None:
    plain = issue(ada)
    run("revoke", "shop", *OLGA)
    with world.begin() as session:
        kept = str(session.execute(text("select * from api_key_changes")).all())
    for seen in (kept, run("show", "shop").stdout, run("show", "shop", "--json").stdout):
        assert "olga" in seen
        assert plain not in seen
        assert api_keys.digest_of(plain) not in seen


def test_the_documented_query_tells_who_gave_any_key_access_to_an_account(
    world: World, ada: Customer, bob: Customer
) -> None:
    issue(ada, name="shop")
    issue(bob, name="desk")
    run("allow", "desk", *of(ada), *OLGA)
    run("revoke", "shop", "--by=root")
    [query] = re.findall(r"```sql\n(select changed_at, name.*?);\n```", DEPLOYING, re.DOTALL)
    with world.begin() as session:
        rows = session.execute(text(query.replace("ID OF THE ACCOUNT", str(ada.account_id)))).all()
    assert [(row.name, row.what, row.changed_by, row.changed_why) for row in rows] == [
        ("shop", "issued", "root", None),
        ("desk", "allowed", "olga", "ticket 4711"),
        ("shop", "revoked", "root", None),
    ]


def test_who_acts_is_the_user_unless_they_say_otherwise(ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    run("issue", "shop", *of(ada))
    assert history() == [("issued", ["Ada Ltd"], "grace", None)]


@pytest.mark.parametrize("option", ["--by", "--why"])
@pytest.mark.parametrize("command", ["issue", "allow", "disallow", "revoke"])
def test_a_blank_is_no_name_and_no_reason(command: str, option: str) -> None:
    answer = run(command, "shop", option, " ")
    assert answer.exit_code == 2
    assert "must not be blank" in answer.stderr


def test_what_no_database_takes_is_kept_as_well_as_it_can_be(ada: Customer) -> None:
    run("issue", "shop", *of(ada), "--by", "b" * 300, "--why", "pi\udcff\nlot\x1b[2J[bold]")
    assert history() == [("issued", ["Ada Ltd"], "b" * 200, "pi? lot [2J[bold]")]
    seen = run("show", "shop").stdout
    assert "[2J[bold]" in seen, "what looks like markup is shown as it is"
    assert "\x1b" not in seen


@pytest.mark.parametrize(
    "statement",
    ["update api_key_changes set changed_by = 'eve'", "delete from api_key_changes", "truncate api_key_changes"],
)
def test_the_database_refuses_to_change_the_record(world: World, ada: Customer, statement: str) -> None:
    issue(ada)
    with (
        pytest.raises(IntegrityError, match="the record of what happened to a key never changes"),
        world.begin() as session,
    ):
        session.execute(text(statement))


@pytest.mark.parametrize("what", [KeyChange.ALLOWED, KeyChange.DISALLOWED])
def test_the_database_refuses_a_change_of_no_account(world: World, ada: Customer, what: KeyChange) -> None:
    issue(ada)
    [issued] = world.rows(ApiKeyChange)
    about = {"id": uuid4(), "api_key_id": issued.api_key_id, "name": "shop", "scopes": [], "changed_by": "eve"}
    statement = insert(ApiKeyChange).values(what=what, accounts=[], **about)
    with pytest.raises(IntegrityError, match="ck_api_key_changes_concerns_accounts"), world.begin() as session:
        session.execute(statement)
