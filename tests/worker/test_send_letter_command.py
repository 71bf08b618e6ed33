"""`prorata orders send-letter`: a letter that did not reach its customer is sent once more, once for each command."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, text
from typer.testing import Result

from models.accounts import Contact
from models.messages import SentLetter
from models.order_lock import lock_order
from models.states import LetterKind
from models.subscriptions import Subscription
from tasks import trials, wiring
from tasks.billing import receivables
from tasks.errors import Misconfigured, TemporarilyUnavailable
from tasks.operating import letters_again, outside_refunds, support_refund
from tasks.operating.order_at_hand import NotPossible
from tasks.personal_data import erasure
from tasks.ports import Letter, Mailer
from tests.support.command import SETTINGS, interruptible, orders_command, prorata_at_a_terminal
from tests.support.disputes import bought, happens, turn
from tests.support.vat_outage import corrected_invoice
from tests.support.world import Customer, World, change, purchase, trial
from worker.commands import failures

pytestmark = pytest.mark.usefixtures("plugged_in")


def send(order_id: UUID, *words: str) -> Result:
    return orders_command("send-letter", order_id, "--by", "ops", *words)


def refusal(order_id: UUID, *words: str) -> str:
    done = send(order_id, *words)
    assert isinstance(done.exception, NotPossible), done.output
    return str(done.exception)


def add_contact(world: World, account_id: UUID, email: str, *, billing: bool = True) -> str:
    with world.begin() as session:
        session.add(contact := Contact(account_id=account_id, name="Bo", email=email, is_billing_contact=billing))
    return str(contact.id)


def test_a_letter_that_was_refused_reaches_another_contact(world: World) -> None:
    ada = world.customer()
    world.mailbox.fail("address_refused", recipient=ada.email, times=1)
    order_id = world.buy(ada, purchase()).id
    email = ada.email.replace("ada", "bo")
    bo = add_contact(world, ada.account_id, email)
    done = send(order_id, "--why", "the address was wrong", "--to-contact", bo)
    assert (done.exit_code, done.stdout) == (0, "The mail server has taken the confirmation.\n")
    [mail] = world.mailbox.listed(f"to:{email}")
    again = f"order-{order_id}.confirmation.again-1@prorata.example"
    assert (mail["Subject"], mail["MessageID"]) == ("Order 1001 is confirmed", again)
    assert [each["FileName"] for each in world.mailbox.read(mail["ID"])["Attachments"]] == ["INV-2026-000001.pdf"]
    assert world.noted(order_id, "letter.send_again") == [
        {
            "kind": "confirmation",
            "message_id": f"<{again}>",
            "by": "ops",
            "why": "the address was wrong",
            "contact_id": bo,
        }
    ]
    assert "Hello Bo," in world.mailbox.read(mail["ID"])["Text"]
    assert world.mails(ada) == ["10 seats are ready to be assigned"]
    assert world.noted(order_id, "letter.sent")[-1] == {"kind": "confirmation", "message_id": f"<{again}>"}
    assert json.loads(orders_command("list", "--undeliverable", "--json").stdout) == []


def test_each_command_sends_one_letter_under_another_message_id(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    for _ in range(2):
        assert send(order_id, "--kind", "seat_prompt").exit_code == 0
    came = sorted(mail["MessageID"].partition(".")[2] for mail in world.mailbox.listed(f"to:{ada.email}"))
    assert [each.partition("@")[0] for each in came] == [
        "confirmation",
        "seat_prompt.again-1",
        "seat_prompt.again-2",
        "seat_prompt",
    ]


def test_that_it_is_sent_is_in_the_timeline_before_the_server_is_asked(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id

    class Looks(Mailer):
        def send(self, letter: Letter) -> None:
            assert world.noted(order_id, "letter.send_again")[0]["message_id"] == letter.message_id
            raise KeyboardInterrupt

    wiring.plug_in(replace(world.wiring, mailer=Looks()))
    assert send(order_id, "--kind", "confirmation").exit_code == 130
    assert world.timeline(order_id)[-2:] == ["letter.send_again", "letter.unanswered"]


def settings_for(world: World, database_url: str) -> dict[str, str]:
    server = {"HOST": world.mailbox.host, "PORT": str(world.mailbox.port), "TLS": "none"}
    return SETTINGS | {"PRORATA_DATABASE_URL": database_url} | {f"PRORATA_SMTP_{name}": server[name] for name in server}


def test_whoever_stops_waiting_for_the_mail_server_is_told_that_the_letter_may_have_arrived(
    world: World, world_database_url: str
) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    before = len(world.mails(ada))
    world.mailbox.fail("slow", recipient=ada.email, seconds=240, times=1)
    sending = subprocess.Popen(
        interruptible("orders", "send-letter", str(order_id), "--kind", "confirmation", "--by", "ops"),
        env=os.environ | settings_for(world, world_database_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(world.mails(ada)) == before:
        assert sending.poll() is None, sending.communicate()
    sending.send_signal(signal.SIGINT)
    ended = (*sending.communicate(), sending.returncode)
    told = (
        "Interrupted. The mail server may have taken the confirmation, so ask the customer before you send it again.\n"
    )
    assert ended == ("", told, 130)
    [noted] = world.noted(order_id, "letter.unanswered")
    assert noted["error"] == "interrupted while the mail server was asked"


def test_a_person_at_a_terminal_sees_what_is_waited_for(world: World, world_database_url: str) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    words = ("orders", "send-letter", str(order_id), "--kind", "confirmation", "--by", "ops")
    seen = prorata_at_a_terminal(100, *words, **settings_for(world, world_database_url))
    told = ["waiting for the mail server", "The mail server has taken the confirmation."]
    assert (
        list(dict.fromkeys(re.sub(r"^\W+", "", line.strip()) for line in re.split(r"[\r\n]+", seen) if line.strip()))
        == told
    )


class Then(Mailer):
    """The real one, and then something else happens."""

    def __init__(self, mailer: Mailer, happens: Callable[[], object]) -> None:
        self._mailer, self._happens = mailer, happens

    def send(self, letter: Letter) -> None:
        try:
            self._mailer.send(letter)
        finally:
            self._happens()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (None, "The mail server has taken the confirmation: do not send it again."),
        (
            "drop_after_data",
            "The mail server did not answer whether it takes the confirmation: it may have arrived, so ask the customer first.",
        ),
        ("address_refused", "The confirmation is undeliverable: "),
        ("greylisted", "The confirmation was not sent: "),
    ],
)
def test_what_came_of_it_is_told_though_it_cannot_be_recorded(
    world: World, capsys: pytest.CaptureFixture[str], fault: str | None, said: str
) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    if fault is not None:
        world.mailbox.fail(fault, recipient=ada.email)
    with world.impatient(), world.begin() as another:
        locked: list[object] = []
        mine = wiring.wired()
        locks = Then(mine.mailer, lambda: locked.append(lock_order(another, order_id)))
        wiring.plug_in(replace(mine, mailer=locks))
        status = failures.run(lambda: letters_again.send_again(order_id, LetterKind.CONFIRMATION, by="ops", why=None))
    told = capsys.readouterr().err
    assert (status, len(locked), told.startswith(said)) == (3, 1, True), told
    assert told.endswith("The timeline of order 1001 lacks that: other transactions hold the order.\n")
    assert world.timeline(order_id)[-1] == "letter.send_again"


def test_what_came_of_it_is_recorded_though_the_connection_broke(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id

    def cut_every_connection() -> None:
        with world.begin() as another:
            ours = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            another.execute(text(f"SELECT pg_terminate_backend(pid, 60000) {ours}"))
        world.transactions.engine.dispose()  # whose connections are cut, too

    with world.impatient(behind_a_lock=60):
        mine = wiring.wired()
        wiring.plug_in(replace(mine, mailer=Then(mine.mailer, cut_every_connection)))
        assert send(order_id, "--kind", "confirmation").stdout == "The mail server has taken the confirmation.\n"
    assert world.timeline(order_id)[-2:] == ["letter.send_again", "letter.sent"]


def test_a_lost_answer_is_told_and_nothing_is_sent_by_itself(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    world.mailbox.fail("drop_after_data", recipient=ada.email)
    assert "it may have arrived, so ask the customer first" in refusal(order_id, "--kind", "confirmation")
    assert len(world.mails(ada)) == 3
    assert world.timeline(order_id)[-2:] == ["letter.send_again", "letter.unanswered"]


def test_a_refused_recipient_is_told_with_the_servers_code(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    world.mailbox.fail("address_refused", recipient=ada.email)
    assert "(5.1.1)" in refusal(order_id, "--kind", "confirmation")
    assert world.noted(order_id, "letter.undeliverable")[0]["code"] == "5.1.1"


@pytest.mark.parametrize(("kind", "error"), [("relay_denied", Misconfigured), ("greylisted", TemporarilyUnavailable)])
def test_a_server_that_does_not_take_it_now_is_told(world: World, kind: str, error: type[Exception]) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    world.mailbox.fail(kind, recipient=ada.email)
    assert isinstance(send(order_id, "--kind", "confirmation").exception, error)
    assert world.timeline(order_id)[-2:] == ["letter.send_again", "letter.not_sent"]
    assert {letter.status for letter in world.rows(SentLetter)} == {"sent"}


def test_where_there_is_nothing_to_send_that_is_said(world: World) -> None:
    ada = world.customer()
    open_order = world.place(ada, purchase())
    assert refusal(open_order) == "order 1001 is open: its letters are sent when it goes on"
    world.park(open_order)
    assert refusal(open_order).endswith("`prorata orders resume 1001`")
    waits = world.run(world.place(world.customer(card=None), purchase())).id
    world.cancel(waits)
    assert refusal(waits) == "order 1002 has no letter to send again"
    order_id = world.buy(world.customer(), purchase()).id
    assert refusal(order_id) == "order 1003 has several letters, name one with --kind: confirmation, seat_prompt"
    assert refusal(order_id, "--kind", "refund_notice").startswith("order 1003 has no refund_notice to send again")


def test_nobody_is_welcomed_to_a_trial_that_has_ended(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, trial())
    [held] = world.rows(Subscription)
    world.time = held.period_end - timedelta(seconds=1)
    assert send(order.id, "--kind", "trial_welcome").exit_code == 0
    before = len(world.mails(ada))
    world.time = held.period_end
    assert refusal(order.id, "--kind", "trial_welcome") == "the trial of order 1001 has ended"
    trials.end_due()
    assert refusal(order.id, "--kind", "trial_welcome") == "the trial of order 1001 has ended"
    assert len(world.mails(ada)) == before


def test_nobody_is_welcomed_to_a_trial_that_they_have_subscribed_to_since(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, trial()).id
    world.pass_time(days=5)
    world.buy(ada, purchase())
    before = len(world.mails(ada))
    assert refusal(order_id, "--kind", "trial_welcome") == "the trial of order 1001 was subscribed since"
    assert len(world.mails(ada)) == before


def again(world: World, customer: Customer, order_id: UUID, kind: LetterKind) -> str:
    """The text of the letter, sent once more."""
    before = {mail["ID"] for mail in world.mailbox.listed(f"to:{customer.email}")}
    done = send(order_id, "--kind", kind)
    assert done.exit_code == 0, done.exception
    [mail] = [each for each in world.mailbox.listed(f"to:{customer.email}") if each["ID"] not in before]
    return " ".join(world.mailbox.read(mail["ID"])["Text"].split())


def test_the_prompt_counts_the_seats_that_there_are_now_and_names_the_plan_of_now(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", 10))
    raised = world.buy(ada, change(seats=15))
    world.buy(ada, change(tier="business", seats=8))
    world.assign(ada, "desk", *(f"u{n}@x.example" for n in range(5)))
    told = again(world, ada, raised.id, LetterKind.SEAT_PROMPT)
    assert "Desk Business: 3 of 8 seats have yet to be assigned." in told


def test_seats_of_a_trial_that_has_ended_are_asked_for_no_more(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, trial("desk"), purchase("chat", "team", 3))
    world.time = world.subscription(ada, "desk").period_end
    told = again(world, ada, order.id, LetterKind.SEAT_PROMPT)
    assert "Chat Team: 3 of 3 seats" in told
    assert "Desk" not in told
    assert "trial" not in told
    only = world.buy(world.customer(), trial("desk"))
    world.pass_time(days=14)
    assert refusal(only.id, "--kind", "seat_prompt") == f"order {only.number} has no seats to assign any more"


def test_seats_that_the_order_has_not_added_are_not_asked_for(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk"))
    order = world.buy(ada, change("desk", seats=5), purchase("chat", "team", 3))
    told = again(world, ada, order.id, LetterKind.SEAT_PROMPT)
    assert "Chat Team: 3 of 3 seats" in told
    assert "Desk" not in told


def test_seats_of_a_trial_that_was_subscribed_since_are_not_called_free(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, trial("desk"))
    world.pass_time(days=5)
    world.buy(ada, purchase("desk", "team", 7))
    told = again(world, ada, order.id, LetterKind.SEAT_PROMPT)
    assert "7 of 7 seats" in told
    assert "they are billed like the others" in told


def test_only_the_trials_that_still_run_are_welcomed(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, trial("desk"), trial("chat"))
    world.pass_time(days=5)
    world.buy(ada, purchase("desk"))
    told = again(world, ada, order.id, LetterKind.TRIAL_WELCOME)
    assert "Your trial of Chat Team for" in told
    assert "Desk" not in told


def test_seats_that_all_have_users_are_not_asked_for_again(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, trial(seats=1)).id
    world.assign(ada, "desk", "mia@customer.example")
    assert refusal(order_id, "--kind", "seat_prompt") == "order 1001 has no seats to assign any more"


def test_an_order_that_was_given_back_sends_only_the_letter_that_says_so(world: World) -> None:
    ada = world.customer()
    world.mailbox.fail("address_refused", recipient=ada.email, times=1)
    order_id = world.buy(ada, purchase()).id
    support_refund.give_back(order_id, by="ops", why="asked for")
    assert refusal(order_id) == "order 1001 is open: its letters are sent when it goes on"
    world.run(order_id)
    for kind in ("confirmation", "seat_prompt"):
        assert refusal(order_id, "--kind", kind) == f"order 1001 is refunded, which its {kind} does not say"
    done = send(order_id)
    assert (done.exit_code, done.stdout) == (0, "The mail server has taken the refund_notice.\n")


def test_a_notice_that_the_bank_returns_the_money_is_not_sent_again_once_its_dispute_was_won(world: World) -> None:
    _, order_id, charge = bought(world)
    happens(world, charge, "needs_response", "lost")
    outside_refunds.settle(order_id, by="ops", why="dispute lost")
    world.run(order_id)
    assert send(order_id).exit_code == 0
    for status, word in (("needs_response", "chargeback"), ("won", "won")):
        turn(world, charge, status)
        world.notify(charge, "charge.dispute.updated")
        assert re.sub("du_\\w+", "du_1", refusal(order_id)) == (
            "the refund_notice of order 1001 says what the customer's bank returns, but dispute du_1, lost when that was recorded, "
            f"is {word} now: docs/disputes.md, A disputed charge, says who has the money"
        )
    turn(world, charge, "lost")
    world.notify(charge, "charge.dispute.closed")
    assert send(order_id).exit_code == 0


def test_an_order_that_was_given_back_and_has_no_letter_that_says_so_sends_none(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    support_refund.give_back(order_id, by="ops", why="asked for")
    world.run(order_id)
    with world.begin() as session:
        session.execute(delete(SentLetter).where(SentLetter.kind == LetterKind.REFUND_NOTICE))
    none_says_so = "order 1001 is refunded, which none of its letters says: confirmation, seat_prompt"
    assert refusal(order_id) == none_says_so


def test_a_confirmation_whose_invoice_was_replaced_asks_nobody_to_pay_that(world: World) -> None:
    world.policy(invoice_on_vat=True)
    eva, order = corrected_invoice(world, card=None)
    before = len(world.mails(eva))
    assert refusal(order.id, "--kind", "confirmation") == (
        "INV-2026-000001, which the confirmation of order 1001 brings, was replaced by INV-2026-000002; "
        "its vat_correction says that"
    )
    assert len(world.mails(eva)) == before
    assert "letter.send_again" not in world.timeline(order.id)
    assert send(order.id, "--kind", "vat_correction").exit_code == 0


def test_a_confirmation_says_that_its_invoice_was_paid_meanwhile(world: World) -> None:
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, vat_number="DE136695976")
    order_id = world.buy(ada, purchase()).id
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000001", on=world.time, by="ops")
    assert send(order_id, "--kind", "confirmation").exit_code == 0
    told = {
        mail["MessageID"].partition(".")[2].partition("@")[0]: re.findall(
            ".*bank transfer.*", world.mailbox.read(mail["ID"])["Text"]
        )
        for mail in world.mailbox.listed(f"to:{ada.email}")
    }
    assert [" ".join(each.split()) for each in told["confirmation.again-1"]] == ["Paid by bank transfer €119.00"]
    assert told["confirmation"][0].startswith("Payable by bank transfer, due date")


def test_a_letter_goes_to_nobody_but_a_billing_contact_of_the_same_account(world: World) -> None:
    ada, eve = world.customer(), world.customer()
    order_id = world.buy(ada, purchase()).id
    no_buyer = add_contact(world, ada.account_id, f"no-{ada.email}", billing=False)
    for other in (no_buyer, eve.contact_id, order_id):
        assert refusal(order_id, "--kind", "confirmation", "--to-contact", str(other)) == (
            f"{other} is no billing contact of the account of order 1001: "
            "`prorata people show EMAIL` shows the ids of a person's contacts"
        )
    assert world.noted(order_id, "letter.send_again") == []
    assert send(order_id, "--kind", "confirmation", "--to-contact", "bo").exit_code == 2


def test_a_letter_of_a_contact_who_was_erased_reaches_another_one(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    bo = add_contact(world, ada.account_id, f"new-{ada.email}")
    erasure.erase(ada.email, by="bob", why="asked on 3 May")
    assert refusal(order_id, "--kind", "confirmation", "--to-contact", str(ada.contact_id)).endswith("contacts")
    assert send(order_id, "--kind", "confirmation", "--to-contact", bo).exit_code == 0
    assert len(world.mailbox.listed(f"to:new-{ada.email}")) == 1


def test_nobody_writes_to_a_contact_who_was_erased(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    erasure.erase(ada.email, by="bob", why="asked on 3 May")
    assert (
        refusal(order_id, "--kind", "confirmation")
        == "the contact of order 1001 was erased, so there is nobody to write to: `--to-contact ID` names another one of the account"
    )
    assert "letter.send_again" not in world.timeline(order_id)
