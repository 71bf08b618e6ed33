"""`prorata orders resume --all-parked`: one cause mended, every order that it parked goes on, and only those."""

import json
import re
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from models import attention, waiting_orders
from models.orders import Order, OrderEvent
from models.states import OrderStatus, Step
from tasks import wiring
from tasks.errors import Misconfigured
from tasks.operating import resumption
from tests.support.command import SETTINGS, prorata_at_a_terminal_into
from tests.support.mailbox import TLS_FLAGS, TRUSTED, running_mailbox
from tests.support.payment import refundable
from tests.support.world import Customer, World, purchase
from worker.adapters.mime import Sender
from worker.adapters.smtp import SmtpMailer
from worker.adapters.smtp_dialogue import Server
from worker.commands import failures, orders, resuming

WRONG_KEY, BUG = "collect_payment: Stripe refuses our API key", "activate_subscription: KeyError: [lost]"


pytestmark = pytest.mark.usefixtures("plugged_in")


def resume_all(*words: str) -> Result:
    return CliRunner().invoke(orders.orders, ["resume", "--all-parked", "--by", "ops", *words])


def parked(world: World, error: str, *, before: Step = Step.COLLECT_PAYMENT) -> UUID:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=before)
    with world.begin() as session:
        assert attention.park(session, order_id, error=error)
    return order_id


def statuses(world: World, *order_ids: UUID) -> list[OrderStatus]:
    return [world.order(order_id).status for order_id in order_ids]


def test_every_parked_order_goes_on_and_each_is_charged_once(world: World) -> None:
    first, second = parked(world, WRONG_KEY), parked(world, BUG, before=Step.ACTIVATE_SUBSCRIPTION)
    done = resume_all()
    assert done.exit_code == 0
    numbers = [str(world.order(order_id).number) for order_id in (first, second)]
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["order", *numbers]
    assert BUG in done.stdout
    for order_id in (first, second):
        assert world.run(order_id).status is OrderStatus.COMPLETED
        assert world.attempts(order_id) == [(1, "succeeded", 119_00)]
        assert "resumed by ops" in str([event.facts for event in world.rows(OrderEvent, order_id=order_id)])


def test_only_orders_that_one_error_parked_go_on(world: World) -> None:
    first, second = parked(world, WRONG_KEY), parked(world, BUG)
    done = resume_all("--error-contains", "api key", "--json")
    assert [(each["number"], each["step"], each["why_not"]) for each in json.loads(done.stdout)] == [
        (world.order(first).number, "collect_payment", None)
    ]
    assert statuses(world, first, second) == [OrderStatus.OPEN, OrderStatus.NEEDS_ATTENTION]


def test_orders_that_a_revoked_stripe_key_parked_are_found_by_what_the_documentation_says(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.stripe.fail("key_refused")
    with pytest.raises(
        Misconfigured, match="refuses our API key, see PRORATA_STRIPE_API_KEY: Stripe: AuthenticationError 401"
    ):
        world.run(order_id)
    world.stripe.calm()
    assert (statuses(world, order_id), world.charged(ada)) == ([OrderStatus.NEEDS_ATTENTION], [])
    done = resume_all("--error-contains", "API key", "--json")
    assert [each["number"] for each in json.loads(done.stdout)] == [world.order(order_id).number]
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_orders_that_a_restricted_stripe_key_parked_are_found_by_what_the_documentation_says(world: World) -> None:
    _, order_id = refundable(world)
    world.stripe.control("restricted-key", key="rk_test_charges_only", permissions=["rak_payment_intent_write"])
    restricted = world.stripe.payments(api_key="rk_test_charges_only")
    wiring.plug_in(replace(world.wiring, payments=restricted))
    with pytest.raises(Misconfigured):
        world.run(order_id)
    wiring.plug_in(world.wiring)
    assert "may not do this (it lacks the permission rak_charge_write), see PRORATA_STRIPE_API_KEY" in (
        world.order(order_id).last_error or ""
    )
    done = resume_all("--error-contains", "API key", "--json")
    assert [each["number"] for each in json.loads(done.stdout)] == [world.order(order_id).number]
    assert world.run(order_id).status is OrderStatus.REFUNDED


def may_have_arrived(world: World) -> tuple[Customer, UUID]:
    """An order parked because the mail server took its confirmation three times, and answered none."""
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.mailbox.fail("drop_after_data", recipient=ada.email)
    with pytest.raises(Misconfigured):
        world.go_on(order_id, times=10)
    world.mailbox.heal()
    return ada, order_id


@pytest.mark.parametrize("words", [(), ("--error-contains", "mail server"), ("--error-contains", "")])
def test_a_letter_that_may_have_arrived_is_not_sent_again_among_all(world: World, words: tuple[str, ...]) -> None:
    _, order_id = may_have_arrived(world)
    login = parked(world, "send_confirmation_email: the mail server refuses us while opening the dialogue: 535")
    done = resume_all(*words, "--json")
    assert done.exit_code == 1
    number = world.order(order_id).number
    why_not = (
        f"its letter may have arrived: `prorata orders resume {number}` sends it once more, for all such orders add "
        '--error-contains "may have arrived"; --without-letters goes on without it'
    )
    assert {each["number"]: each["why_not"] for each in json.loads(done.stdout)} == {
        number: why_not,
        world.order(login).number: None,
    }
    assert statuses(world, order_id, login) == [OrderStatus.NEEDS_ATTENTION, OrderStatus.OPEN]


def test_letters_that_may_have_arrived_are_sent_again_where_these_words_say_so(world: World) -> None:
    ada, order_id = may_have_arrived(world)
    assert resume_all("--error-contains", "may have Arrived").exit_code == 0
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert len(world.mails(ada)) == 5


def test_other_words_of_its_error_do_not_say_so(world: World) -> None:
    _, order_id = may_have_arrived(world)
    assert resume_all("--error-contains", "time").exit_code == 1
    assert statuses(world, order_id) == [OrderStatus.NEEDS_ATTENTION]


def test_without_letters_those_that_may_have_arrived_go_on_among_all(world: World) -> None:
    ada, order_id = may_have_arrived(world)
    assert resume_all("--without-letters").exit_code == 0
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert len(world.mails(ada)) == 4


def test_orders_that_a_wrong_mail_password_parked_are_found_by_what_the_documentation_says(
    world: World, tmp_path: Path
) -> None:
    _, arrived = may_have_arrived(world)
    order_id = world.place(world.customer(), purchase())
    with running_mailbox(
        tmp_path, "--tls", "starttls", *TLS_FLAGS, "--user", "prorata", "--password", "new"
    ) as mailbox:
        trust = ssl.create_default_context(cafile=TRUSTED)
        server = Server(host="localhost", port=mailbox.port, username="prorata", password="old", trust=trust)
        wiring.plug_in(replace(world.wiring, mailer=SmtpMailer(server, Sender.read("b@prorata.example", "B"))))
        with pytest.raises(Misconfigured, match="refuses us while opening the dialogue: 535"):
            world.run(order_id)
    wiring.plug_in(world.wiring)
    done = resume_all("--error-contains", "refuses us while", "--json")
    assert [each["number"] for each in json.loads(done.stdout)] == [world.order(order_id).number]
    assert statuses(world, order_id, arrived) == [OrderStatus.OPEN, OrderStatus.NEEDS_ATTENTION]


def test_a_dry_run_names_the_parked_orders_and_changes_nothing(world: World) -> None:
    order_id = parked(world, WRONG_KEY)
    done = resume_all("--dry-run")
    assert (done.exit_code, "would go on with" in done.stdout, WRONG_KEY in done.stdout) == (0, True, True)
    assert statuses(world, order_id) == [OrderStatus.NEEDS_ATTENTION]


@pytest.mark.parametrize("words", [("--dry-run",), ()])
def test_a_person_sees_how_far_it_is(
    world: World, world_database_url: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    parked(world, WRONG_KEY)
    resume = ("orders", "resume", "--all-parked", "--by", "ops", "--json", *words)
    chosen = SETTINGS | {"PRORATA_DATABASE_URL": world_database_url}
    seen = prorata_at_a_terminal_into(tmp_path / "resumed.json", 100, *resume, **chosen)
    assert re.findall(r"(looking at|resuming) orders .* (\d+%)", seen)[-1] == (
        "looking at" if words else "resuming",
        "100%",
    )
    [told] = json.loads((tmp_path / "resumed.json").read_text())
    assert (told["step"], told["why_not"]) == (Step.COLLECT_PAYMENT, None)


def test_where_nothing_is_parked_that_is_said(world: World) -> None:
    order_id = parked(world, BUG)
    parked(world, f"{BUG}\x9b")
    told = resume_all("--error-contains", "API key").stdout
    assert told == f"No order that needs attention has such an error. There are:\n  2 x {BUG}\n"
    resume_all()
    assert resume_all().stdout == "No order needs attention.\n"
    assert json.loads(resume_all("--json").stdout) == []
    assert statuses(world, order_id) == [OrderStatus.OPEN]


def test_an_order_that_stays_parked_is_said_and_the_others_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stays, goes = parked(world, WRONG_KEY), parked(world, WRONG_KEY)
    real = waiting_orders.reopen
    monkeypatch.setattr(
        waiting_orders, "reopen", lambda session, order_id, **to: order_id != stays and real(session, order_id, **to)
    )
    done = resume_all()
    assert (done.exit_code, "stays: the order has moved on since" in done.stdout) == (1, True)
    assert statuses(world, stays, goes) == [OrderStatus.NEEDS_ATTENTION, OrderStatus.OPEN]


def test_what_was_resumed_before_one_was_held_by_others_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(failures, "_database", lambda: "db:5432/prorata")
    first, held = parked(world, WRONG_KEY), parked(world, WRONG_KEY)
    with world.begin() as other, world.impatient():
        other.get_one(Order, held, with_for_update=True)
        assert (
            failures.run(lambda: orders.orders(["resume", "--all-parked", "--by", "ops"], standalone_mode=False)) == 3
        )
    said = "Not finished: other transactions hold the same rows in db:5432/prorata. Resumed before that: 1. Try again later.\n"
    assert capsys.readouterr().err == said
    assert statuses(world, first, held) == [OrderStatus.OPEN, OrderStatus.NEEDS_ATTENTION]


def test_how_many_a_dry_run_has_looked_at_before_it_was_interrupted_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    parked(world, WRONG_KEY)
    second, plan = parked(world, WRONG_KEY), resumption.plan_resumption

    def interrupted(story: Any, **how: Any) -> Any:
        if story.order.id == second:
            raise KeyboardInterrupt
        return plan(story, **how)

    monkeypatch.setattr(resumption, "plan_resumption", interrupted)
    with pytest.raises(KeyboardInterrupt) as stopped:
        resuming.resume(all_parked=True, dry_run=True, by="ops")
    assert stopped.value.__notes__ == ["Looked at before that: 1 of 2; nothing was changed."]
