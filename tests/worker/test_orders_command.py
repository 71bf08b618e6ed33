"""`prorata orders`: the whole story with what the provider says now, and who did what and why."""

import json
from uuid import UUID

import pytest

from models.accounts import VatCheck
from models.orders import Order
from models.payments import ChargeAttempt
from models.states import OrderStatus, Step
from models.subscriptions import SeatAssignment
from tasks.errors import Misconfigured, TemporarilyUnavailable
from tasks.operating.order_at_hand import NotPossible
from tasks.policy import VatOutage
from tasks.upstream.request import RequestRefused
from tasks.wiring import payments
from tests.steps.test_refunds_elsewhere import comes_back
from tests.support.books import verified
from tests.support.command import SETTINGS, orders_command, prorata_of_its_own
from tests.support.many_orders import Plans, copy_completed_orders
from tests.support.payment import given_up_and_paid_late, refund_by_hand
from tests.support.vat_outage import NUMBER, ask_again, during_outage, turns_out_invalid
from tests.support.world import Customer, World, change, purchase, trial

pytestmark = pytest.mark.usefixtures("plugged_in")


def test_an_order_is_shown_with_what_the_provider_says_of_it_now(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    [charge] = world.rows(ChargeAttempt, order_id=order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": str(charge.ref), "amount": 19_00})
    told = json.loads(orders_command("show", order_id, "--json").stdout)
    [taken, back] = told["at_provider"]
    assert (taken["what"], taken["attempt"], taken["ref"]) == ("charge", 1, charge.ref)
    assert (taken["status"], taken["amount_minor"]) == ("succeeded", 119_00)
    assert (back["what"], back["status"], back["amount_minor"], told["refunds"]) == ("refund", "succeeded", 19_00, [])
    seen = orders_command("show", order_id).stdout
    assert "At the payment provider now" in seen
    assert "119.00" in seen.partition("At the payment provider now")[2].partition("Letters")[0]


def test_an_order_is_shown_with_the_disputes_of_its_charge_and_support_cannot_refund_it(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    [charge] = world.rows(ChargeAttempt, order_id=order_id)
    opened = world.stripe.control("dispute", payment_intent=charge.ref, status="needs_response")["id"]
    [_, disputed] = json.loads(orders_command("show", order_id, "--json").stdout)["at_provider"]
    assert (disputed["what"], disputed["ref"], disputed["status"]) == ("dispute", opened, "chargeback")
    refused = orders_command("refund", order_id, "--why", "asked")
    assert isinstance(refused.exception, NotPossible)
    assert world.order(order_id).status is OrderStatus.COMPLETED


def test_an_order_is_shown_with_its_documents_and_found_by_each_of_them(world: World) -> None:
    world.policy(invoice_on_vat=True)
    _, order = during_outage(world, card=None)
    turns_out_invalid(world)
    [told] = {
        orders_command("show", which, "--json").stdout for which in (order.number, "cn-2026-000001", " INV-2026-000002")
    }
    names = ("number", "kind", "reason", "corrects", "issued_on", "total_minor", "owed_minor", "owed_status")
    assert [tuple(each[name] for name in names) for each in json.loads(told)["documents"]] == [
        ("INV-2026-000001", "invoice", "order", None, "2026-11-01", 100_00, 100_00, "cancelled"),
        ("CN-2026-000001", "credit_note", "vat_number_invalid", "INV-2026-000001", "2026-11-01", -100_00, None, None),
        ("INV-2026-000002", "invoice", "vat_number_invalid", "INV-2026-000001", "2026-11-01", 120_00, 120_00, "open"),
    ]
    seen = orders_command("show", "inv-2026-000001").stdout.partition("Documents")[2].partition("Letters")[0]
    assert [line.split() for line in seen.strip().splitlines()[1:]] == [
        ["INV-2026-000001", "invoice", "order", "2026-11-01", "100.00", "EUR", "100.00", "cancelled"],
        ["CN-2026-000001", "credit_note", "vat_number_invalid", "INV-2026-000001", "2026-11-01", "-100.00", "EUR"],
        ["INV-2026-000002", "invoice", "vat_number_invalid", "INV-2026-000001", "2026-11-01", "120.00", "EUR", "120.00", "open"],
    ]  # fmt: skip


def test_an_order_is_shown_with_what_vies_answered_and_the_receipt(world: World) -> None:
    order = world.buy(world.customer(country="AT", vat_number=NUMBER), purchase())
    [check] = world.rows(VatCheck)
    assert check.consultation_number.startswith("WAPI")
    [told] = json.loads(orders_command("show", order.number, "--json").stdout)["vat_checks"]
    names = ("number", "status", "asked_at", "consultation_number")
    assert [told[name] for name in names] == [
        *(NUMBER, "valid", check.asked_at.isoformat(timespec="microseconds"), check.consultation_number)
    ]
    _, _, seen = orders_command("show", order.number).stdout.partition("VAT number\n")
    assert seen.splitlines()[1].split() == [
        *(NUMBER, "valid", *f"{check.asked_at:%Y-%m-%d %H:%M:%S}".split(), check.consultation_number)
    ]


def test_an_order_whose_vat_was_given_back_is_shown_with_the_answer_that_came_late(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    assert json.loads(orders_command("show", order.number, "--json").stdout)["vat_checks"] == []
    ask_again(world)
    [told] = json.loads(orders_command("show", order.number, "--json").stdout)["vat_checks"]
    assert (told["number"], told["status"]) == (NUMBER, "valid")


def test_an_order_s_credit_note_is_shown_with_what_charged_its_credits(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", seats=10))
    world.pass_time(days=15)
    order = world.buy(ada, change("desk", seats=1))
    [document] = json.loads(orders_command("show", order.number, "--json").stdout)["documents"]
    assert (document["number"], document["corrects"]) == ("CN-2026-000001", "INV-2026-000001")


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("INV-2026-000009", "there is no document INV-2026-000009"),
        ("cn-2026-1", "there is no document CN-2026-1"),
        ("INV-2026", "'INV-2026' is neither an order's number nor its id, nor a document's number"),
        ("9999", "there is no order 9999"),
    ],
)
def test_a_document_that_there_is_not_is_named(world: World, which: str, said: str) -> None:
    world.buy(world.customer(), purchase())
    assert str(orders_command("show", which).exception) == said


def test_a_program_reads_what_became_of_an_order_that_it_resumes_or_cancels(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.park(order_id)
    told = json.loads(orders_command("resume", order_id, "--dry-run", "--json").stdout)
    assert (told["id"], told["dry_run"], told["step"]) == (str(order_id), True, "collect_payment")
    assert told["would"]
    for already in (False, True):
        told = json.loads(orders_command("cancel", order_id, "--json").stdout)
        assert (told["id"], told["already"]) == (str(order_id), already)
        world.run(order_id)
    assert told["status"] == "cancelled"


def test_a_program_reads_that_a_refund_is_on_its_way(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    told = json.loads(orders_command("refund", order_id, "--why", "they asked", "--json").stdout)
    assert told == {"id": str(order_id), "status": "open", "unassigned": 0}


def with_a_lost_answer(world: World) -> Order:
    """An order that was charged, which only the provider knows yet."""
    world.stripe.fail("answer_lost", "payment_intents.create")
    world.stripe.fail("unavailable", "payment_intents.list")
    order = world.run(world.place(world.customer(), purchase()))
    world.stripe.calm()
    return order


def test_a_charge_whose_answer_was_lost_is_found_at_the_provider(world: World) -> None:
    order_id = with_a_lost_answer(world).id
    [charge] = world.rows(ChargeAttempt, order_id=order_id)
    told = json.loads(orders_command("show", order_id, "--json").stdout)
    assert (charge.ref, [each["amount_minor"] for each in told["at_provider"]]) == (None, [119_00])


def test_why_a_step_failed_is_said_once_for_each_try_in_the_timeline(world: World) -> None:
    order = with_a_lost_answer(world)
    told = json.loads(orders_command("show", order.id, "--json").stdout)
    [why] = [each["facts"]["error"] for each in told["events"] if each["kind"] == "collect_payment.postponed"]
    assert told["last_error"] == why
    assert f"last error: {why}" in orders_command("show", order.id).stdout


def test_how_many_tries_a_step_took_is_said_where_it_took_several(world: World) -> None:
    order_id = with_a_lost_answer(world).id
    world.go_on(order_id)
    told = json.loads(orders_command("show", order_id, "--json").stdout)
    ends = {each["kind"]: each["facts"].get("tries") for each in told["events"] if each["kind"].endswith(".done")}
    assert ends == {
        "validate_cart.done": None,
        "compute_proration.done": None,
        "collect_payment.done": 2,
        "activate_subscription.done": None,
        "send_confirmation_email.done": None,
    }


def test_a_provider_that_is_away_does_not_keep_the_story_from_being_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(ref: str) -> None:
        raise TemporarilyUnavailable("no answer")

    order = world.buy(world.customer(), purchase())
    monkeypatch.setattr(payments(), "retrieve_charge", away, raising=False)
    told = json.loads(orders_command("show", order.number, "--json").stdout)
    assert (told["at_provider"], told["at_provider_error"], len(told["charges"])) == (None, "no answer", 1)
    seen = orders_command("show", order.number)
    assert (seen.exit_code, "could not be asked: no answer" in seen.stdout, "Timeline" in seen.stdout) == (
        0,
        True,
        True,
    )


def test_a_list_that_was_cut_says_so_beside_what_programs_read(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk"))
    newest = world.buy(ada, purchase("chat"))
    cut = orders_command("list", "--account", ada.account_id, "--limit", "1", "--json")
    assert [order["id"] for order in json.loads(cut.stdout)] == [str(newest.id)]
    assert cut.stderr == "The first 1: there may be more, see --limit.\n"
    assert orders_command("list", "--account", ada.account_id, "--json").stderr == ""


def test_who_cancelled_and_why_is_kept(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    orders_command("cancel", order_id, "--by", "ops", "--why", "asked by phone")
    assert world.noted(order_id, "order.cancel_requested") == [{"by": "ops", "why": "asked by phone"}]
    assert world.run(order_id).status is OrderStatus.CANCELLED


def test_who_cancelled_an_order_that_waits_and_why_is_kept(world: World) -> None:
    order = world.buy(world.customer(card="pm_card_chargeCustomerFail"), purchase())
    assert order.status is OrderStatus.PAYMENT_DECLINED
    orders_command("cancel", order.id, "--by", "ops", "--why", "no card left")
    assert world.noted(order.id, "order.cancel_requested") == [{"by": "ops", "why": "no card left"}]
    assert [each["by"] for each in world.noted(order.id, "order.cancelled")] == ["ops"]


@pytest.mark.parametrize(
    ("options", "reason", "told"),
    [
        ((), "cancelled-by-us", "The order was cancelled by us."),
        (("--customer-asked",), "cancelled-by-customer", "The order was cancelled at your request."),
    ],
)
def test_the_customer_is_told_who_wanted_it_cancelled(
    world: World, options: tuple[str, ...], reason: str, told: str
) -> None:
    ada, tom = world.customer(), world.customer(card="pm_card_chargeCustomerFail")
    charged, declined = world.place(ada, purchase()), world.buy(tom, purchase()).id
    world.run(charged, until=Step.ACTIVATE_SUBSCRIPTION)
    for order_id in (charged, declined):
        orders_command("cancel", order_id, *options)
    assert [(world.run(each).status, world.order(each).reason) for each in (charged, declined)] == [
        (OrderStatus.REFUNDED, reason),
        (OrderStatus.CANCELLED, reason),
    ]
    [notice] = world.mailbox.listed(f"to:{ada.email}")
    assert told in " ".join(world.mailbox.read(notice["ID"])["Text"].split())


def test_a_cancellation_asked_for_again_tells_what_became_of_it(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    assert orders_command("cancel", order_id).stdout.startswith("It will be cancelled")
    world.run(order_id)
    assert orders_command("cancel", order_id).stdout == "Cancellation was already requested; status: refunded.\n"


def test_who_resumed_and_why_is_kept(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.park(order_id)
    assert orders_command("resume", order_id, "--by", "ops", "--why", "key mended").exit_code == 0
    assert "resumed by ops: key mended" in str(world.noted(order_id, "order.reopened"))


def test_who_refunded_and_why_is_kept(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    orders_command("refund", order_id, "--by", "ops", "--why", "goodwill")
    assert world.noted(order_id, "refund.requested") == [{"by": "ops", "why": "goodwill", "unassigned": 0}]


def test_a_refund_says_how_many_users_lose_their_seats_with_it(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase("desk"), purchase("wiki"), trial("chat")).id
    for product, users in (
        ("desk", ["a@x.example", "b@x.example"]),
        ("wiki", ["a@x.example"]),
        ("chat", ["c@x.example"]),
    ):
        world.assign(ada, product, *users)
    assert orders_command("refund", order_id, "--why", "wants a lower tier").stdout == (
        f"The refund is on its way; see `prorata orders show {order_id}`.\n"
        "Users who lost their seats: 3. Whoever buys again must assign them again.\n"
    )
    [told] = world.noted(order_id, "refund.requested")
    assert told["unassigned"] == 3
    [left] = world.rows(SeatAssignment, unassigned_at=None)
    assert left.subscription_id == world.subscription(ada, "chat").id


def test_every_command_takes_the_number_of_a_document_in_place_of_its_orders(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    assert isinstance(orders_command("cancel", "INV-2026-000001").exception, RequestRefused)
    assert orders_command("refund", "inv-2026-000001", "--why", "goodwill").exit_code == 0
    world.park(order_id)
    assert orders_command("resume", " INV-2026-000001").exit_code == 0
    world.park(order_id)
    said = orders_command("refunded-outside", "INV-2026-000001", "--why", "by transfer").stdout
    assert said == (
        "Recorded; the order goes on, the credit note is issued and the customer is told.\n"
        "The customer is owed 119.00 EUR of this charge: pay that by other means, if you have not yet.\n"
    )
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert len(world.mailbox.listed(f"to:{ada.email} subject:refunded")) == 1


def test_whoever_settles_a_refund_that_failed_after_its_notice_is_told_to_write(world: World) -> None:
    ada = world.customer(card="pm_card_refundFail")
    order_id = world.buy(ada, purchase()).id
    orders_command("refund", order_id, "--why", "goodwill")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    letters, charge = world.mails(ada), world.charge_ref(order_id)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])
    world.notify(charge, "refund.failed")
    assert orders_command("refunded-outside", order_id, "--why", "by transfer").stdout == (
        "Recorded; the order ends as refunded. Notice and credit note went out before and say that the money went back in another way than it did: "
        "tell the customer, and your accountant.\n"
        "The customer is owed 119.00 EUR of this charge: pay that by other means, if you have not yet.\n"
    )
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.mails(ada) == letters


def settled_as_lost_but_for_a_part(world: World, ada: Customer) -> tuple[UUID, str]:
    """An order and its charge: 19.00 of it went to the card, the bank has the rest, and an operator has recorded that."""
    order_id = world.buy(ada, purchase()).id
    charge = world.charge_ref(order_id)
    refund_by_hand(world, order_id, 19_00)
    world.stripe.control("dispute", payment_intent=charge, status="lost", amount=100_00)
    orders_command("refunded-outside", order_id, "--why", "dispute lost")
    return order_id, charge


def test_whoever_settles_what_failed_since_the_rest_was_recorded_is_told_how_much_that_is(world: World) -> None:
    ada = world.customer()
    order_id, charge = settled_as_lost_but_for_a_part(world, ada)
    settled = ("refunded-outside", order_id, "--why", "dispute lost")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    comes_back(world, ada, 19_00)
    world.notify(charge, "refund.failed")
    said = str(orders_command(*settled).exception)
    assert "is owed 19.00 EUR of what order 1001 was charged" in said
    assert "goes with --rest-paid, or with --charge" in orders_command(*settled, "--paid", "19.00").output
    assert orders_command(*settled, "--rest-paid", "--paid", "19.00").stdout == (
        "Recorded; the order ends as refunded. Notice and credit note went out before and say that the money went back in another way than it did: "
        "tell the customer, and your accountant.\n"
    )
    assert (world.order(order_id).status, verified(world)) == (OrderStatus.REFUNDED, [])


def test_whoever_settles_what_failed_once_the_order_ended_without_its_notice_is_not_told_that_it_went_out(
    world: World,
) -> None:
    ada = world.customer()
    order_id, charge = settled_as_lost_but_for_a_part(world, ada)
    settled = ("refunded-outside", order_id, "--why", "dispute lost")
    comes_back(world, ada, 19_00)
    world.notify(charge, "refund.failed")
    with pytest.raises(Misconfigured):
        world.run(order_id)
    orders_command("resume", order_id, "--without-letters")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    [said] = orders_command(*settled, "--rest-paid", "--paid", "19.00").stdout.splitlines()
    assert said == (
        "Recorded; the order stays refunded. It ended without its notice: send that with `prorata orders send-letter 1001 --kind refund_notice`, or tell the customer yourself, and tell your accountant."
    )
    assert orders_command("send-letter", order_id, "--kind", "refund_notice").exit_code == 0
    assert len(world.mailbox.listed(f"to:{ada.email} subject:refunded")) == 1


def test_an_order_whose_email_was_refused_for_good_is_found_with_the_servers_code(world: World) -> None:
    ada = world.customer()
    world.mailbox.fail("address_refused", recipient=ada.email)
    order = world.buy(ada, purchase())
    world.buy(world.customer(), purchase())
    listed = json.loads(orders_command("list", "--undeliverable", "--json").stdout)
    assert ([each["id"] for each in listed], order.status) == ([str(order.id)], OrderStatus.COMPLETED)
    assert {"kind": "confirmation", "code": "5.1.1"} in world.noted(order.id, "letter.undeliverable")


@pytest.mark.parametrize(
    ("words", "index"),
    [
        (["--undeliverable"], "ix_letters_refused"),
        (["--status", "rejected"], "ix_orders_ended_without"),
        (["--status", "needs_attention"], "ix_orders_not_ended"),
    ],
)
def test_the_few_orders_that_a_person_looks_for_are_found_by_an_index_of_those(
    world: World, words: list[str], index: str
) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    copy_completed_orders(world, ada)
    with Plans(world, "orders") as plans:
        assert json.loads(orders_command("list", *words, "--json").stdout) == []
    [plan] = plans.noted
    assert index in plan, plan


def test_a_cancelled_order_is_said_to_be_cancelled_already(world: World) -> None:
    order_id = world.buy(world.customer(card=None), purchase()).id
    assert orders_command("cancel", order_id).stdout == "Cancelled.\n"
    assert orders_command("cancel", order_id).stdout == "It was cancelled already.\n"


def test_who_records_that_the_rest_was_paid_is_told_which_part_of_it_is_vat_that_was_paid_before(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    charge = world.charge_ref(order.id)
    world.stripe.control("dispute", payment_intent=charge, status="lost", amount=5_00)
    world.notify(charge, "charge.dispute.closed")
    ask_again(world)
    *_, owed = orders_command(
        "refunded-outside", order.id, "--rest-paid", "--why", "rest by transfer"
    ).stdout.splitlines()
    assert owed == (
        "The customer is owed 115.00 EUR of this charge: pay that by other means, if you have not yet. "
        "Of that 15.00 EUR is VAT that was to be paid by other means than a refund in the dashboard, once: if it was, pay only 100.00 EUR."
    )


def test_what_was_given_back_beside_a_dispute_is_recorded_of_the_order_or_of_an_unexpected_charge(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    own = world.charge_ref(order_id, attempt=2)
    for charge in (late, own):
        world.stripe.control("dispute", payment_intent=charge, status="lost", amount=19_00)
        world.notify(charge, "charge.dispute.closed")
    paid = ("refunded-outside", order_id, "--why", "rest by transfer")
    assert orders_command(*paid, "--charge", late).stdout == (
        "Recorded; the order stays as it is.\n"
        "The customer is owed 100.00 EUR of this charge: pay that by other means, if you have not yet.\n"
    )
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert isinstance(orders_command(*paid).exception, NotPossible)
    recorded = json.loads(orders_command(*paid, "--rest-paid", "--json").stdout)
    assert recorded == {
        "id": str(order_id),
        "provider_asked": True,
        "told_before": False,
        "owed_minor": 100_00,
        "vat_minor": 0,
    }
    assert (world.run(order_id).status, verified(world)) == (OrderStatus.REFUNDED, [])


def test_what_is_logged_is_in_no_program_s_way(world: World, world_database_url: str) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    orders_command("refund", order_id, "--why", "asked by mail")
    world.park(order_id)
    nobody_answers = {"PRORATA_DATABASE_URL": world_database_url, "PRORATA_STRIPE_API_BASE": "http://127.0.0.1:1"}
    words = ("refunded-outside", order_id, "--why", "by transfer", "--json")
    ended = prorata_of_its_own("orders", *map(str, words), **SETTINGS | nobody_answers)
    assert json.loads(ended.out) == {
        "id": str(order_id),
        "provider_asked": False,
        "told_before": False,
        "owed_minor": None,
        "vat_minor": 0,
    }
    assert "the provider could not be asked" in [json.loads(line)["event"] for line in ended.err.splitlines()]
