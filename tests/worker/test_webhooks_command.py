"""`prorata webhooks`: which notifications wait, trying one again, and giving one up with a record of who did."""

import json

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from models.messages import WebhookReceived
from tasks.charges import webhooks as handling
from tasks.operating.waiting_webhooks import HandledAlready, UnknownWebhook
from tests.support.world import World
from worker.commands import webhooks

pytestmark = pytest.mark.usefixtures("plugged_in")


def run(*words: str) -> Result:
    return CliRunner().invoke(webhooks.webhooks, list(words))


@pytest.fixture
def hopeless(world: World) -> str:
    """About a charge that the provider does not know any more: it fails for ever."""
    with world.begin() as session:
        session.execute(
            text("""
                insert into webhooks_received (id, type, charge_ref, payload, received_at)
                values ('evt_hopeless', 'charge.refunded', 'pi_deleted', '', :at)
            """),
            {"at": "2026-10-30 09:00+00"},
        )
    handling.handle_webhooks()
    return "evt_hopeless"


def the_event(world: World) -> WebhookReceived:
    row: WebhookReceived
    [row] = world.rows(WebhookReceived)
    return row


def test_what_waits_is_listed_with_why(world: World, hopeless: str) -> None:
    [told] = json.loads(run("list", "--json").stdout)
    assert (told["id"], told["charge_ref"], told["attempts"]) == (hopeless, "pi_deleted", 1)
    assert told["received_at"] == "2026-10-30T09:00:00.000000+00:00"
    assert told["outcome"].startswith("failed: ")
    assert "payload" not in told
    assert hopeless in run("list").stdout


def test_where_nothing_waits_that_is_said() -> None:
    assert (run("list").stdout, run("list", "--json").stdout) == ("No notification waits.\n", "[]\n")


def test_a_notification_is_tried_again_at_once(world: World, hopeless: str) -> None:
    assert handling.handle_webhooks() == 0
    assert the_event(world).attempts == 1  # its delay is not over
    assert run("retry", hopeless).stdout == f"{hopeless} will be retried at once.\n"
    handling.handle_webhooks()
    assert the_event(world).attempts == 2


def test_a_dismissed_notification_waits_no_more_and_says_who_did_it_and_why(world: World, hopeless: str) -> None:
    answer = run("dismiss", hopeless, "--why", "test data was deleted", "--by", "ada", "--json")
    assert json.loads(answer.stdout) == {"id": hopeless, "result": "dismissed"}
    event = the_event(world)
    assert (event.outcome, event.handled_at) == ("dismissed by ada: test data was deleted", world.time)
    assert run("list", "--json").stdout == "[]\n"
    for words in (["retry", hopeless], ["dismiss", hopeless, "--why", "again"]):
        assert isinstance(run(*words).exception, HandledAlready)
    assert the_event(world).outcome == "dismissed by ada: test data was deleted"


def test_a_reason_has_to_be_given(world: World, hopeless: str) -> None:
    assert (run("dismiss", hopeless).exit_code, run("dismiss", hopeless, "--why", " ").exit_code) == (2, 2)
    assert the_event(world).handled_at is None


@pytest.mark.parametrize("words", [["retry", "evt_0"], ["dismiss", "evt_0", "--why", "gone"]])
def test_an_unknown_notification_is_said_to_be_unknown(words: list[str]) -> None:
    refused = run(*words).exception
    assert isinstance(refused, UnknownWebhook)
    assert str(refused) == "there is no notification evt_0"
