"""`prorata keys`: who is let in, what is said of it, and who is shut out."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, insert, literal, select, text
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from models.accounts import Account
from models.cart_facts import UnknownAccount
from tasks.upstream import api_keys
from tasks.upstream.api_keys import KeyRefused, Scope, UnknownKey
from tasks.upstream.callers import caller_with
from tests.support.waiting import until_it_waits_for
from tests.support.world import World
from worker.commands import keys
from worker.loading.accounts_file import account_id

pytestmark = pytest.mark.usefixtures("plugged_in")


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
        caller = caller_with(session, told["key"])
    assert caller is not None
    assert (told["id"], told["name"], told["scopes"]) == (str(caller.key_id), "shop", ["orders:read"])
    assert (told["accounts"], told["revoked_at"]) == (1, None)


@pytest.mark.parametrize("name", ["", " ", "shop ", "sh\nop", "s" * 101])
def test_a_name_that_nobody_could_read_or_type_again_is_refused(world: World, name: str) -> None:
    refused = run("issue", name, f"--account={world.customer().account_id}").exception
    assert isinstance(refused, KeyRefused)
    assert "one line of 1 to 100 characters" in str(refused)


def test_of_two_keys_issued_at_once_under_a_name_one_is_refused(world: World) -> None:
    account = f"--account={world.customer().account_id}"
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            api_keys.issue(session, name="shop", scopes=[Scope.ORDERS_READ], account_ids=[], by="ops")
            second = another.submit(run, "issue", "shop", account)
            until_it_waits_for(session, second)
        refused = second.result().exception
    assert isinstance(refused, KeyRefused)
    assert str(refused) == "there is another key called 'shop'; give this one another name"


def test_of_two_keys_renamed_at_once_to_a_name_one_is_refused_and_stays_as_it_was(world: World) -> None:
    account = f"--account={world.customer().account_id}"
    made_elsewhere = "prk_" + "0123456789abcdef" * 2
    run("issue", "till", account, f"--key={made_elsewhere}", "--scope=orders:read")
    first = issue(world, "desk")
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            scopes = [Scope.ORDERS_READ]
            api_keys.issue(session, name="shop", scopes=scopes, account_ids=[], by="ops", key=first)
            second = another.submit(run, "issue", "shop", account, f"--key={made_elsewhere}")
            until_it_waits_for(session, second)
        refused = second.result().exception
    assert isinstance(refused, KeyRefused)
    assert str(refused) == "there is another key called 'shop'; give this one another name"
    left = json.loads(run("show", "till", "--json").stdout)
    assert (left["scopes"], [each["what"] for each in left["history"]]) == (["orders:read"], ["issued"])


def test_a_key_that_is_revoked_meanwhile_is_allowed_no_other_account(world: World) -> None:
    issue(world, "shop")
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            api_keys.revoke(session, name="shop", by="ops")
            session.flush()
            allowing = another.submit(run, "allow", "shop", f"--account={world.customer().account_id}")
            until_it_waits_for(session, allowing)
        refused = allowing.result().exception
    assert isinstance(refused, KeyRefused)
    assert str(refused) == "there is no valid key called 'shop'"


def test_where_there_is_no_key_that_is_said(world: World) -> None:
    assert run("list").stdout == "No keys: nobody can come in. To let an upstream in: prorata keys issue NAME.\n"
    assert json.loads(run("list", "--json").stdout) == []


def test_a_revoked_key_lets_nobody_in_and_the_others_stay(world: World) -> None:
    shop, desk = issue(world, "shop"), issue(world, "desk")
    answer = run("revoke", "shop")
    assert (answer.exit_code, answer.stdout) == (0, "The key 'shop' is refused from now on.\n")
    with world.begin() as session:
        assert caller_with(session, shop) is None
        assert caller_with(session, desk) is not None


def test_a_program_reads_when_the_key_was_revoked(world: World) -> None:
    issue(world, "shop")
    told = json.loads(run("revoke", "shop", "--json").stdout)
    assert json.loads(run("list", "--json").stdout)[0].items() <= told.items()
    assert told["revoked_at"] is not None


@pytest.mark.parametrize(("name", "refused"), [("shop", KeyRefused), ("nobody", UnknownKey)])
def test_what_is_not_good_any_more_cannot_be_revoked(world: World, name: str, refused: type[Exception]) -> None:
    issue(world, "shop")
    run("revoke", "shop")
    answer = run("revoke", name)
    assert isinstance(answer.exception, refused)
    assert str(answer.exception) == f"there is no valid key called {name!r}"


def test_no_key_is_made_before_there_is_an_account(world: World) -> None:
    refused = run("issue", "shop")
    assert isinstance(refused.exception, KeyRefused)
    assert "run prorata accounts load FILE first" in str(refused.exception)
    with world.begin() as session:
        assert api_keys.issued(session) == []


def test_a_key_is_allowed_an_account_that_came_later_and_loses_none(world: World) -> None:
    plain, first, later = issue(world, "shop"), world.customer(), world.customer()
    answer = run("allow", "shop", f"--account={first.account_id}", f"--account={later.account_id}")
    assert (answer.exit_code, answer.stdout) == (0, "The key 'shop' may act for 3 accounts, 2 of them new.\n")
    with world.begin() as session:
        for each in (first, later):
            caller = caller_with(session, plain, account_id=each.account_id)
            assert caller is not None
            assert caller.bound_to == each.account_id


def test_what_a_key_is_allowed_already_it_is_allowed_once(world: World) -> None:
    issue(world, "shop")
    later = f"--account={world.customer().account_id}"
    run("allow", "shop", later)
    answer = run("allow", "shop", later, later)
    assert (answer.exit_code, answer.stdout) == (
        0,
        "The key 'shop' may act for 2 accounts, none of them new; nothing is recorded.\n",
    )


def test_an_account_is_taken_from_a_key_once_and_the_others_stay(world: World) -> None:
    gone, stays = world.customer(), world.customer()
    plain = run("issue", "shop", f"--account={gone.account_id}", f"--account={stays.account_id}").stdout.strip()
    said = [run("disallow", "shop", f"--account={gone.account_id}").stdout for _ in range(2)]
    assert said == [
        "The key 'shop' may act for 1 account, 1 fewer than before.\n",
        "The key 'shop' may act for 1 account, as before; nothing is recorded.\n",
    ]
    with world.begin() as session:
        bound = [caller_with(session, plain, account_id=each.account_id) for each in (gone, stays)]
    assert [caller and caller.bound_to for caller in bound] == [None, stays.account_id]


def test_a_key_that_may_act_for_nobody_is_still_there(world: World) -> None:
    only = f"--account={world.customer().account_id}"
    run("issue", "shop", only)
    assert run("disallow", "shop", only).stdout == "The key 'shop' may act for 0 accounts, 1 fewer than before.\n"
    assert run("allow", "shop", only).stdout == "The key 'shop' may act for 1 account, 1 of them new.\n"


def test_an_account_may_be_named_by_its_code(world: World) -> None:
    issue(world, "shop")
    coded = account_id("muster")
    with world.begin() as session:
        session.add(Account(id=coded, name="Muster GmbH", country="DE", currency="EUR"))
    assert run("allow", "shop", "--account=muster").stdout == "The key 'shop' may act for 2 accounts, 1 of them new.\n"
    told = json.loads(run("show", "shop", "--json").stdout)
    assert {"id": str(coded), "name": "Muster GmbH"} in told["bound_to"]


@pytest.mark.parametrize("command", ["allow", "disallow"])
def test_accounts_that_there_are_not_are_named_and_nothing_is_changed(world: World, command: str) -> None:
    account = f"--account={world.customer().account_id}"
    run("issue", "shop", account)
    other = f"--account={world.customer().account_id}" if command == "allow" else account
    answer = run(command, "shop", "--account=nobody", other, "--account=nowhere")
    assert isinstance(answer.exception, UnknownAccount)
    assert str(answer.exception) == "there is no account nobody, nowhere"
    assert json.loads(run("list", "--json").stdout)[0]["accounts"] == 1


@pytest.mark.parametrize("command", ["allow", "disallow"])
@pytest.mark.parametrize(("name", "refused"), [("shop", KeyRefused), ("nobody", UnknownKey)])
def test_what_is_not_good_any_more_is_allowed_nothing(
    world: World, command: str, name: str, refused: type[Exception]
) -> None:
    issue(world, "shop")
    run("revoke", "shop")
    answer = run(command, name, f"--account={world.customer().account_id}")
    assert isinstance(answer.exception, refused)
    assert str(answer.exception) == f"there is no valid key called {name!r}"


@pytest.mark.parametrize("command", ["allow", "disallow"])
def test_whoever_changes_a_key_says_for_which_account(world: World, command: str) -> None:
    issue(world, "shop")
    assert run(command, "shop").exit_code == 2


@pytest.mark.parametrize("command", ["allow", "disallow"])
def test_a_program_reads_what_the_key_is_good_for_now(world: World, command: str) -> None:
    issue(world, "shop", accounts=2)
    told = json.loads(run(command, "shop", f"--account={world.customer().account_id}", "--json").stdout)
    shown = json.loads(run("show", "shop", "--json").stdout)
    assert told == {name: shown[name] for name in shown if name != "history"} | {"recorded": shown["history"][1:]}
    assert told["accounts"] == len(told["bound_to"]) == (3 if command == "allow" else 2)


def test_the_accounts_of_a_key_are_shown_by_name(world: World) -> None:
    issue(world, "desk")
    first, second = world.customer(name="Zacharias & Co"), world.customer(name="Ada [bold]Ltd")
    run("issue", "shop", f"--account={first.account_id}", f"--account={second.account_id}", "--scope=orders:read")
    [listed] = [each for each in json.loads(run("list", "--json").stdout) if each["name"] == "shop"]
    bound = [
        {"id": str(second.account_id), "name": "Ada [bold]Ltd"},
        {"id": str(first.account_id), "name": "Zacharias & Co"},
    ]
    shown = json.loads(run("show", "shop", "--json").stdout)
    rest = {name: shown[name] for name in shown if name != "history"}
    assert rest == listed | {"bound_to": bound, "bound_to_cut": False}
    seen = run("show", "shop").stdout.splitlines()
    assert seen[1].startswith("shop  orders:read         2  ")
    assert [line.strip().split(maxsplit=1) for line in seen[2:6]] == [
        [],
        ["account_id", "name"],
        [str(second.account_id), "Ada [bold]Ltd"],
        [str(first.account_id), "Zacharias & Co"],
    ]


def test_of_many_accounts_the_first_are_shown_and_how_many_there_are(world: World) -> None:
    first, second, third = (world.customer(name=name) for name in ("Ada Ltd", "Bob & Sons", "Eve SARL"))
    run("issue", "shop", *(f"--account={each.account_id}" for each in (third, second, first)), "--by=root")
    run("disallow", "shop", f"--account={first.account_id}", "--by=root")
    run("allow", "shop", f"--account={first.account_id}", "--by=root")
    names = {"Ada Ltd": first, "Bob & Sons": second, "Eve SARL": third}
    listed = [{"id": str(each.account_id), "name": name} for name, each in names.items()]
    for limit, cut, notice in ((2, True, "The first 2 of 3 accounts: see --limit.\n"), (3, False, "")):
        asked = ("show", "shop", f"--limit={limit}")
        shown, seen = run(*asked, "--json"), run(*asked)
        told = json.loads(shown.stdout)
        assert (told["accounts"], told["bound_to"], told["bound_to_cut"]) == (3, listed[:limit], cut)
        assert [(each["accounts"], each["accounts_cut"], each["accounts_in_all"]) for each in told["history"]] == [
            (listed[:limit], cut, 3),
            (listed[:1], False, 1),
            (listed[:1], False, 1),
        ]
        assert (shown.stderr, seen.stderr) == (notice, notice)
        bound, _, past = seen.stdout.partition("account_id")[2].partition("changed (UTC)")
        assert [line.strip().split(maxsplit=1)[1] for line in bound.split("\n")[1:-2]] == [*names][:limit]
        whole = [[str(each.account_id), *name.split()] for name, each in names.items()]
        assert [line.split()[2:] for line in past.splitlines()[1:]] == [
            *([["issued", "root", "3", "accounts"]] if cut else [["issued", "root", *each] for each in whole]),
            ["disallowed", "root", *whole[0]],
            ["allowed", "root", *whole[0]],
        ]


def many_accounts(session: Session, number: int) -> None:
    account = select(Account.name, Account.kind, Account.country, Account.currency, Account.timezone, Account.language)
    made = (
        account.add_columns(func.gen_random_uuid())
        .join(func.generate_series(1, number).alias(), literal(True))
        .limit(number)
    )
    names = [column.name for column in account.selected_columns]
    session.execute(insert(Account).from_select([*names, "id"], made))


def test_after_a_large_change_postgresql_knows_how_many_accounts_keys_have(world: World) -> None:
    world.customer()
    counted = text("select reltuples from pg_class where relname = 'api_key_accounts'")
    with world.begin() as session:
        many_accounts(session, 1_200)
        session.execute(text("analyze api_key_accounts"))
        api_keys.issue(session, name="all", scopes=[], account_ids=None, by="root")
        assert session.scalar(counted) == 1_201
        some = session.scalars(select(Account.id).limit(1_000)).all()
        api_keys.disallow(session, name="all", account_ids=some, by="root")
        assert session.scalar(counted) == 201


def test_a_role_that_may_not_analyze_changes_keys_all_the_same(world: World) -> None:
    world.customer()
    with world.begin() as session:
        many_accounts(session, 1_200)
        session.execute(text("create role lesser"))
        session.execute(text("grant select, insert, update on all tables in schema public to lesser"))
        session.execute(text("set local role lesser"))
        issued = api_keys.issue(session, name="all", scopes=[], account_ids=None, by="root")
        assert len(issued.changes[0].accounts) == 1_201
        session.rollback()  # roles are a whole server's


def test_a_revoked_key_that_had_many_accounts_says_how_many_it_has_lost(world: World) -> None:
    """As told to the program that revokes it: a thousand by name."""
    row = select(func.gen_random_uuid(), literal("Many"), literal("DE"), literal("EUR"))
    with world.begin() as session:
        rows = row.select_from(func.generate_series(1, 1_001))
        session.execute(insert(Account).from_select(["id", "name", "country", "currency"], rows))
    told = [json.loads(run(command, "shop", "--json").stdout) for command in ("issue", "revoke")]
    for [recorded] in (each["recorded"] for each in told):
        assert (len(recorded["accounts"]), recorded["accounts_cut"], recorded["accounts_in_all"]) == (
            1_000,
            True,
            1_001,
        )
    assert (told[1]["accounts"], len(told[1]["bound_to"]), told[1]["bound_to_cut"]) == (1_001, 1_000, True)


def test_a_key_that_was_never_issued_is_not_shown(world: World) -> None:
    answer = run("show", "nobody")
    assert isinstance(answer.exception, UnknownKey)
    assert str(answer.exception) == "there is no key called 'nobody'"
