"""`prorata cases`: what waits for support, one case with all its details, and closing it with a record of who did."""

import json
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from models.support_cases import SupportCase
from tasks.operating.support_desk import ClosedAlready, UnknownCase
from tasks.plain_text import UNPRINTABLE
from tests.support.command import SETTINGS, Command, prorata_of_its_own
from tests.support.world import Customer, World, change, purchase
from worker.commands import cases

STEERING = "\x1b[2J\x9b31m\u202e[bold]"


pytestmark = pytest.mark.usefixtures("plugged_in")


def run(*words: str) -> Result:
    return CliRunner().invoke(cases.cases, list(words))


def wished(world: World, **account: str) -> tuple[Customer, SupportCase]:
    """A customer who has Desk team and asks for basic."""
    customer = world.customer(**account)
    world.buy(customer, purchase("desk", "team", 10))
    world.refused(customer, change(tier="basic"))
    case: SupportCase
    [case] = world.rows(SupportCase, account_id=customer.account_id)
    return customer, case


def numbers(*words: str) -> list[int]:
    return [each["number"] for each in json.loads(run("list", "--json", *words).stdout)]


def test_open_cases_are_listed_oldest_first_and_with_all_the_closed_ones_too(world: World) -> None:
    first, second, third = (wished(world)[1].number for _ in range(3))
    run("close", str(second), "--why", "agreed")
    assert numbers() == [first, third]
    assert numbers("--all") == [third, second, first]


def test_a_row_names_the_account_and_what_it_wishes(world: World) -> None:
    _, case = wished(world, name="Söhne GmbH")
    [row] = [line for line in run("list").stdout.splitlines() if "Söhne GmbH" in line]
    assert row.split()[0] == str(case.number)
    assert row.split()[-3:] == ["desk", "team", "basic"]


def test_only_with_the_closed_ones_the_list_says_when_they_were_closed(world: World) -> None:
    _, case = wished(world)
    run("close", str(case.number), "--why", "agreed")
    wished(world)
    assert "closed" not in run("list").stdout
    heading, still_open, closed = (line.rstrip() for line in run("list", "--all").stdout.splitlines())
    assert (heading.endswith("closed (UTC)"), still_open.endswith("basic")) == (True, True)
    assert closed.endswith(f"{world.time:%Y-%m-%d %H:%M:%S}")


def test_more_than_the_limit_is_said(world: World) -> None:
    first, _ = wished(world)[1].number, wished(world)
    answer = run("list", "--json", "--limit", "1")
    assert [each["number"] for each in json.loads(answer.stdout)] == [first]
    assert "--limit" in answer.stderr


def test_where_there_is_none_that_is_said(world: World) -> None:
    assert (run("list").stdout, run("list", "--json").stdout) == ("No case is open.\n", "[]\n")
    assert run("list", "--all").stdout == "There was never a case.\n"


def test_a_case_is_shown_with_all_that_support_has_to_know(world: World) -> None:
    ada, case = wished(world)
    seen = run("show", str(case.number)).stdout.splitlines()
    assert seen[0].startswith(f"Case {case.number}  opened ")
    assert seen[1] == f"account {ada.account_id}"
    assert seen[2:] == case.text.splitlines()
    assert f"<{ada.email}>" in seen[-1]


def test_a_program_is_given_the_same(world: World) -> None:
    ada, case = wished(world, name="Söhne GmbH")
    told = json.loads(run("show", str(case.number), "--json").stdout)
    assert (told["number"], told["id"], told["account"]) == (case.number, str(case.id), "Söhne GmbH")
    assert (told["account_id"], told["contact_id"]) == (str(ada.account_id), str(ada.contact_id))
    assert (told["product_code"], told["from_tier"], told["to_tier"], told["seats"]) == ("desk", "team", "basic", 10)
    assert told["text"] == case.text
    assert told["created_at"] == told["asked_at"]
    assert (told["closed_at"], told["closed_by"], told["closed_why"]) == (None, None, None)
    assert [told] == json.loads(run("list", "--json").stdout)


def test_a_closed_case_says_by_whom_and_why(world: World) -> None:
    _, case = wished(world)
    said = run("close", str(case.number), "--why", "agreed by telephone", "--by", "bob").stdout
    assert said.startswith(f"Case {case.number}, last asked for at ")
    assert said.endswith(" UTC, is closed.\n")
    told = json.loads(run("show", str(case.number), "--json").stdout)
    assert (told["closed_by"], told["closed_why"]) == ("bob", "agreed by telephone")
    assert told["closed_at"] == world.time.isoformat(timespec="microseconds")
    assert run("show", str(case.number)).stdout.splitlines()[-1] == (
        f"closed {world.time:%Y-%m-%d %H:%M:%S} UTC by bob: agreed by telephone"
    )


def test_who_closes_a_case_is_the_user_unless_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    _, case = wished(world)
    answer = json.loads(run("close", str(case.number), "--why", "agreed", "--json").stdout)
    assert (answer["number"], answer["closed_by"]) == (case.number, "ada")


def test_what_was_closed_once_is_not_closed_anew(world: World) -> None:
    _, case = wished(world)
    run("close", str(case.number), "--why", "agreed", "--by", "bob")
    refused = run("close", str(case.number), "--why", "no", "--by", "eve").exception
    assert isinstance(refused, ClosedAlready)
    assert str(refused) == f"case {case.number} is closed already, by bob: agreed"
    assert [each.closed_why for each in world.rows(SupportCase)] == ["agreed"]


@pytest.mark.parametrize("words", [["show"], ["close", "--why", "gone"]])
def test_a_case_that_is_not_there_is_said_not_to_be(world: World, words: list[str]) -> None:
    _, case = wished(world)
    refused = run(words[0], str(case.number + 1), *words[1:]).exception
    assert isinstance(refused, UnknownCase)
    assert (
        str(refused) == f"there is no support case {case.number + 1}; `prorata cases list --all` shows those there are"
    )
    assert numbers() == [case.number]


@pytest.mark.parametrize(
    "words",
    [
        *(["show", wrong] for wrong in ("0", "-1", "x", "1.5", str(2**63), str(uuid4()))),
        ["close", "1"],
        ["close", "1", "--why", " "],
        ["list", "--limit", "0"],
        ["list", "--limit", "10001"],
    ],
)
def test_what_is_wrongly_asked_ends_with_2_and_changes_nothing(world: World, words: list[str]) -> None:
    _, case = wished(world)
    assert run(*words).exit_code == 2
    assert numbers() == [case.number]


def test_nothing_that_somebody_wrote_steers_the_terminal(world: World) -> None:
    _, case = wished(world, name=f"Ada{STEERING}")
    number = str(case.number)
    run("close", number, "--why", f"so{STEERING}", "--by", f"bob{STEERING}")
    seen = [run(*words).stdout for words in (["list", "--all"], ["show", number], ["show", number, "--json"])]
    assert {found for text in seen for found in UNPRINTABLE.findall(text)} == {"\n"}
    assert all("[bold]" in text for text in seen), "what looks like markup is shown as it is"


def test_what_no_database_takes_is_kept_as_well_as_it_can_be(world: World) -> None:
    """A shell hands over bytes that are no UTF-8 as halves of surrogate pairs."""
    _, case = wished(world)
    assert run("close", str(case.number), "--why", "so\udcff\nit is", "--by", "b" * 300).exit_code == 0
    [row] = world.rows(SupportCase)
    assert (row.closed_why, row.closed_by) == ("so? it is", "b" * 200)


def test_the_command_itself_ends_with_the_statuses_of_the_others(
    world: World, world_database_url: str, prorata: Command
) -> None:
    _, case = wished(world)
    settings = SETTINGS | {"PRORATA_DATABASE_URL": world_database_url}
    number = str(case.number)
    assert prorata_of_its_own("cases", "list", **settings).status == 0
    statuses = [
        prorata("cases", *words, **settings).status
        for words in (
            ["list"],
            ["show", number],
            ["show", str(case.number + 1)],
            ["close", number, "--why", "agreed"],
            ["close", number, "--why", "agreed"],
        )
    ]
    assert statuses == [0, 0, 2, 0, 1]
