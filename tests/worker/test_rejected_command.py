"""`prorata rejected`: what no worker could process, as a person sees it."""

import json
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from models.rejected_messages import RejectedBecause, RejectedMessage
from tests.support.world import World
from worker.commands import rejected
from worker.commands.rejected import UnknownMessage

pytestmark = pytest.mark.usefixtures("plugged_in")


def run(*words: str) -> Result:
    return CliRunner().invoke(rejected.rejected, list(words))


def keep(world: World, **values: object) -> int:
    """As a worker keeps one."""
    usual = {
        "because": RejectedBecause.UNKNOWN_TASK,
        "queue": "orders",
        "task": "no_such_task",
        "error": "NotRegistered: it",
    }
    with world.begin() as session:
        message = RejectedMessage(**{**usual, "headers": {"id": str(uuid4())}, "body": b"[]", **values})
        session.add(message)
        session.flush()
        return message.id


def test_rejected_messages_are_listed_latest_first_without_what_they_contain(world: World) -> None:
    first, second = keep(world), keep(world, task="another_task", because=RejectedBecause.MALFORMED)
    told = json.loads(run("list", "--json").stdout)
    assert [(each["id"], each["because"], each["task"]) for each in told] == [
        (second, "malformed", "another_task"),
        (first, "unknown_task", "no_such_task"),
    ]
    assert not {"headers", "body"} & set(told[0])
    assert [line for line in run("list").stdout.splitlines() if "NotRegistered: it" in line and "no_such_task" in line]


def test_more_than_the_limit_is_said(world: World) -> None:
    _, second = keep(world), keep(world)
    answer = run("list", "--json", "--limit", "1")
    assert [each["id"] for each in json.loads(answer.stdout)] == [second]
    assert "--limit" in answer.stderr


def test_where_there_is_none_that_is_said() -> None:
    assert (run("list").stdout, run("list", "--json").stdout) == ("No message was rejected.\n", "[]\n")


def test_a_rejected_message_is_shown_whole_whatever_bytes_it_has(world: World) -> None:
    number = keep(world, headers={"task": "no_such_task"}, body=b'["\xff\x1b[31m"]')
    answer = run("show", str(number)).stdout
    assert "\x1b" not in answer, "it would steer the terminal"
    told = json.loads(answer)
    assert (told["headers"], told["body"]) == ({"task": "no_such_task"}, '["\\xff\x1b[31m"]')


def test_what_steers_a_terminal_is_not_shown_in_the_table(world: World) -> None:
    keep(world, task="\x1b[2J[bold]no_such_task[/]")
    assert "\x1b" not in (seen := run("list").stdout)
    assert "[bold]no_such_task[/]" in seen


def test_a_rejected_message_is_deleted_and_no_other(world: World) -> None:
    first, second = keep(world), keep(world)
    assert run("delete", str(first)).stdout == f"Message {first} is deleted.\n"
    assert [message.id for message in world.rows(RejectedMessage)] == [second]


@pytest.mark.parametrize("word", ["show", "delete"])
def test_a_rejected_message_that_is_not_there_is_said_not_to_be(world: World, word: str) -> None:
    there = keep(world)
    refused = run(word, str(there + 1)).exception
    assert isinstance(refused, UnknownMessage)
    assert str(refused).startswith(f"there is no rejected message {there + 1};")
    assert len(world.rows(RejectedMessage)) == 1


@pytest.mark.parametrize("word", ["show", "delete"])
@pytest.mark.parametrize("number", ["0", str(2**63), "first"])
def test_what_is_no_number_of_a_rejected_message_is_a_wrong_word(word: str, number: str) -> None:
    assert run(word, number).exit_code == 2
