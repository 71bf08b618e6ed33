"""What a person may do to an order: put it back on its way, or give its money back; nothing that happened happens again."""

from dataclasses import replace
from typing import NoReturn
from uuid import UUID

import pytest
from sqlalchemy import update

from models import ledger
from models.invoices import Invoice
from models.ledger import Cause, MovementKind
from models.orders import Order
from models.payments import ChargeAttempt, RefundAttempt
from models.rules.cart import SubscriptionStatus
from models.states import FORWARD, OrderStatus, RefundState, Step
from models.subscriptions import SeatAssignment, SubscriptionPeriod, assigned
from tasks import wiring
from tasks.errors import Misconfigured, Refused
from tasks.ledger_check.verify import verify
from tasks.operating import order_story, outside_refunds, resumption, support_refund
from tasks.operating.order_at_hand import NotPossible
from tasks.upstream import seats
from tests.support.books import verified
from tests.support.world import MONTH, YEAR, Customer, World, change, purchase, trial


def parked_before(world: World, step: Step, **account: str | None) -> UUID:
    order_id = world.place(world.customer(**account), purchase())
    world.run(order_id, until=step)
    world.park(order_id)
    return order_id


def plan(world: World, order_id: UUID, from_step: Step | None = None) -> resumption.Resumption:
    with world.begin() as session:
        return resumption.plan_resumption(order_story.tell(session, order_id), from_step=from_step)


def resume(world: World, order_id: UUID, from_step: Step | None = None) -> None:
    planned = plan(world, order_id, from_step)
    with world.begin() as session:
        resumption.resume(session, order_id, planned, by="ops")


def refund(world: World, order_id: UUID) -> None:
    with world.begin() as session:
        support_refund.refund(session, order_id, by="ops", why="asked by phone", now=world.time)


def notice(world: World, customer: Customer) -> str:
    [mail] = world.mailbox.listed(f"to:{customer.email} subject:refunded")
    return " ".join(str(world.mailbox.read(mail["ID"])["Text"]).split())


@pytest.mark.parametrize("step", FORWARD)
def test_a_parked_order_goes_on_from_where_it_stands_and_is_charged_once(world: World, step: Step) -> None:
    order_id = parked_before(world, step)
    assert plan(world, order_id).first is step
    resume(world, order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "succeeded", 119_00)]
    assert world.letters(order_id) == ["confirmation", "seat_prompt"]


def test_a_dry_run_says_what_happened_and_changes_nothing(world: World) -> None:
    order_id = parked_before(world, Step.ACTIVATE_SUBSCRIPTION)
    planned = plan(world, order_id)
    assert planned.happened[:3] == ("validate_cart: done", "compute_proration: done", "collect_payment: done")
    assert f"charge order:{order_id}:charge:1: 119.00 EUR, succeeded" in planned.happened
    assert [said.partition(":")[0] for said in planned.would] == list(FORWARD[3:])
    assert world.order(order_id).status is OrderStatus.NEEDS_ATTENTION


def test_what_was_done_for_a_quote_that_a_fresh_one_has_replaced_is_not_among_what_happened(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.reprice("desk", "team", MONTH, 12_00)
    assert world.run(order_id).status is OrderStatus.AWAITING_CONFIRMATION
    world.confirm(order_id)
    world.park(order_id)
    assert plan(world, order_id).happened == ()
    resume(world, order_id)
    world.run(order_id, until=Step.COMPUTE_PRORATION)
    world.park(order_id)
    assert plan(world, order_id).happened == ("validate_cart: done",)


@pytest.mark.parametrize(
    ("stands_at", "first", "why"),
    [
        (Step.COLLECT_PAYMENT, Step.ACTIVATE_SUBSCRIPTION, "would skip that"),
        (Step.ACTIVATE_SUBSCRIPTION, Step.VALIDATE_CART, "it was charged"),
        (Step.SEND_CONFIRMATION_EMAIL, Step.ACTIVATE_SUBSCRIPTION, "what it bought is active"),
        (Step.SEND_CONFIRMATION_EMAIL, Step.REFUND_PAYMENT, "what it bought is active"),
        (Step.COLLECT_PAYMENT, Step.SEND_REFUND_NOTICE, "the way back begins with refund_payment"),
    ],
)
def test_an_order_is_not_put_back_where_that_would_skip_or_repeat(
    world: World, stands_at: Step, first: Step, why: str
) -> None:
    order_id = parked_before(world, stands_at)
    with pytest.raises(NotPossible, match=why):
        plan(world, order_id, first)


def test_a_charged_order_may_be_turned_back_and_its_money_goes_back(world: World) -> None:
    order_id = parked_before(world, Step.ACTIVATE_SUBSCRIPTION)
    resume(world, order_id, Step.REFUND_PAYMENT)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.refunds(order_id) == [("succeeded", 119_00)]


def test_only_a_parked_order_is_resumed(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    with pytest.raises(NotPossible, match="does not need attention: it is open"):
        plan(world, order_id)


def test_a_refund_gives_all_back_and_ends_what_was_bought(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    world.assign(ada, "desk", "ada@customer.example")
    refund(world, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.given_back(ada) == [119_00]
    assert world.subscription(ada, "desk").status is SubscriptionStatus.ENDED
    (period,) = world.rows(SubscriptionPeriod, order_id=order_id)
    assert (period.charged_minor, period.unused_minor, period.unused_tax_minor) == (100_00, 100_00, 19_00)
    assert "refund_notice" in world.letters(order_id)
    again = world.buy(ada, purchase(seats=1))
    assert (again.status, again.due_minor) == (OrderStatus.COMPLETED, 11_90)


def test_a_refund_asked_for_twice_is_given_once(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    refund(world, order_id)
    world.run(order_id)
    with pytest.raises(NotPossible, match="is refunded, only a completed one"):
        refund(world, order_id)
    assert world.given_back(ada) == [119_00]


def test_balance_that_paid_goes_back_with_the_refund(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 19_00)
    order_id = world.buy(ada, purchase()).id
    assert (world.charged(ada), world.balance(ada)) == ([100_00], 0)
    refund(world, order_id)
    world.run(order_id)
    assert (world.given_back(ada), world.balance(ada)) == ([100_00], 19_00)


def rounded_up(world: World) -> tuple[Customer, UUID]:
    """A purchase for 10.001 KWD: 10.010 were charged, 0.009 became balance."""
    noor = world.customer(country="KW", currency="KWD")
    world.reprice("desk", "team", MONTH, 10_001)
    order = world.buy(noor, purchase(seats=1))
    assert (order.due_minor, world.balance(noor)) == (10_010, 9)
    return noor, order.id


def test_what_a_charge_was_rounded_up_by_leaves_the_balance_with_its_refund(world: World) -> None:
    noor, order_id = rounded_up(world)
    refund(world, order_id)
    assert world.balance(noor) == 0
    assert verified(world) == []
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert (world.given_back(noor), world.balance(noor)) == ([10_010], 0)
    assert verified(world) == []


def test_what_a_charge_was_rounded_up_by_is_not_given_a_second_time_once_it_is_spent(world: World) -> None:
    noor, order_id = rounded_up(world)
    world.reprice("chat", "team", MONTH, 1)
    world.buy(noor, purchase("chat", seats=1))
    assert world.balance(noor) == 8
    with pytest.raises(NotPossible, match=r"rounded up by 0.009 KWD, which became balance and is spent"):
        refund(world, order_id)
    assert (world.given_back(noor), world.balance(noor)) == ([], 8)
    assert world.subscription(noor, "desk").status is SubscriptionStatus.ACTIVE


def paid_from_balance_and_rounded_up(world: World, *, granted: int, total: int) -> tuple[Customer, UUID]:
    """A purchase that used all balance that was granted, and whose charge was rounded up by 8 fils, which another has spent."""
    noor = world.customer(country="KW", currency="KWD")
    world.grant(noor, granted)
    world.reprice("desk", "team", MONTH, total)
    world.reprice("chat", "team", MONTH, 10_008)
    order = world.buy(noor, purchase(seats=1))
    assert (order.balance_used_minor, order.to_balance_minor) == (granted, 8)
    world.buy(noor, purchase("chat", seats=1))
    assert world.balance(noor) == 0
    return noor, order.id


def test_what_a_charge_was_rounded_up_by_may_be_covered_by_the_balance_that_its_order_gives_back(world: World) -> None:
    noor, order_id = paid_from_balance_and_rounded_up(world, granted=9, total=10_001)
    refund(world, order_id)
    assert world.balance(noor) == 1
    assert verified(world) == []
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert (world.given_back(noor), world.balance(noor)) == ([10_000], 1)
    assert verified(world) == []


def test_balance_that_its_order_gives_back_covers_no_more_than_it_is(world: World) -> None:
    noor, order_id = paid_from_balance_and_rounded_up(world, granted=7, total=10_009)
    with pytest.raises(NotPossible, match=r"rounded up by 0.008 KWD, which became balance and is spent"):
        refund(world, order_id)
    assert (world.given_back(noor), world.balance(noor)) == ([], 0)
    assert world.order(order_id).status is OrderStatus.COMPLETED


def test_vat_that_became_balance_is_not_given_a_second_time(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    with world.begin() as session:
        ledger.post_for(session, order, MovementKind.CREDITED, 19_00, cause=Cause.VAT_CREDIT, step="vat_follow_up")
    with pytest.raises(NotPossible, match=r"^19.00 EUR of what order .* as VAT that was not due"):
        refund(world, order.id)
    assert world.given_back(ada) == []


def test_a_trial_in_the_same_cart_goes_on_when_the_purchase_is_refunded(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase("desk"), trial("chat")).id
    refund(world, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.given_back(ada) == [119_00]
    assert world.subscription(ada, "desk").status is SubscriptionStatus.ENDED
    assert world.subscription(ada, "chat").status is SubscriptionStatus.TRIALING
    assert "Your free trial of Chat goes on as before." in notice(world, ada)
    assert verified(world) == []


def test_a_refund_takes_the_seats_of_what_it_ends_and_nobody_elses(world: World) -> None:
    ada, bob = world.customer(), world.customer()
    order_id = world.buy(ada, purchase("desk"), trial("chat")).id
    world.buy(bob, purchase("desk"))
    for customer, product in ((ada, "desk"), (ada, "chat"), (bob, "desk")):
        world.assign(customer, product, "mia@customer.example")
    refund(world, order_id)
    with world.begin() as session:
        assert assigned(session, world.subscription(ada, "desk").id) == 0
        assert assigned(session, world.subscription(ada, "chat").id) == 1
        assert assigned(session, world.subscription(bob, "desk").id) == 1


def test_who_left_a_seat_before_the_refund_left_it_then(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    world.assign(ada, "desk", "mia@customer.example", "leo@customer.example")
    with world.begin() as session:
        seats.unassign(
            session, subscription_id=world.subscription(ada, "desk").id, email="mia@customer.example", now=world.time
        )
    left = world.time
    world.pass_time(hours=1)
    refund(world, order_id)
    rows = world.rows(SeatAssignment)
    assert {row.user_email: row.unassigned_at for row in rows} == {
        "mia@customer.example": left,
        "leo@customer.example": world.time,
    }


def test_a_trial_that_was_bought_since_stays_bought_when_the_other_purchase_is_refunded(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase("desk"), trial("chat")).id
    world.buy(ada, purchase("chat"))
    refund(world, order_id)
    world.run(order_id)
    assert world.given_back(ada) == [119_00]
    assert world.subscription(ada, "chat").status is SubscriptionStatus.ACTIVE
    assert "goes on" not in notice(world, ada)
    assert verified(world) == []


def test_a_trial_that_is_over_is_not_said_to_go_on(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase("desk", interval=YEAR), trial("chat")).id
    world.pass_time(days=30)
    refund(world, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert "The subscription it bought has ended." in notice(world, ada)
    assert "goes on" not in notice(world, ada)


def test_a_change_is_not_refunded_and_nothing_is_touched(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    world.pass_time(days=10)
    order_id = world.buy(ada, change(seats=20)).id
    with pytest.raises(NotPossible, match="order fewer seats instead"):
        refund(world, order_id)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert world.subscription(ada, "desk").seats == 20


def test_a_purchase_that_was_changed_since_is_not_refunded(world: World) -> None:
    ada = world.customer()
    first = world.buy(ada, purchase()).id
    world.pass_time(days=10)
    world.buy(ada, change(seats=20))
    with pytest.raises(NotPossible, match=r"was changed by a later order.*; order fewer seats instead"):
        refund(world, first)
    assert world.given_back(ada) == []
    world.buy(ada, change(seats=1))
    assert world.balance(ada) > 0


def test_a_purchase_whose_period_is_over_and_that_was_bought_anew_is_not_refunded(world: World) -> None:
    ada = world.customer()
    first = world.buy(ada, purchase()).id
    world.pass_time(days=40)
    second = world.buy(ada, purchase()).id
    with pytest.raises(NotPossible, match="is over already"):
        refund(world, first)
    refund(world, second)
    assert world.run(second).status is OrderStatus.REFUNDED
    with pytest.raises(NotPossible, match="is over already"):
        refund(world, first)
    assert world.given_back(ada) == [119_00]


def charge_back_elsewhere(world: World, order_id: UUID, amount: int = 119_00) -> None:
    """In the provider's Dashboard, whose webhook never comes."""
    [charge] = world.rows(ChargeAttempt, order_id=order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": str(charge.ref), "amount": amount})


def test_what_was_bought_anew_gets_its_credit_note_once_all_of_its_charge_is_back(world: World) -> None:
    ada = world.customer()
    first = world.buy(ada, purchase()).id
    world.pass_time(days=40)
    world.buy(ada, purchase())
    charge_back_elsewhere(world, first)
    support_refund.give_back(first, by="ops", why="went back in the Dashboard")
    assert world.run(first).status is OrderStatus.REFUNDED
    assert [document.number for document in world.rows(Invoice, order_id=first)] == [
        "INV-2026-000001",
        "CN-2026-000001",
    ]
    assert (world.subscription(ada, "desk").status, world.given_back(ada)) == ("active", [119_00])
    said = notice(world, ada)
    assert "A period that it paid for was over already; no subscription ends because of that." in said
    assert "has ended" not in said
    assert verified(world) == []


def test_of_what_was_bought_anew_a_changed_period_gets_no_credit_note_though_all_is_back(world: World) -> None:
    ada = world.customer()
    first = world.buy(ada, purchase()).id
    world.pass_time(days=10)
    world.buy(ada, change(seats=20))
    world.pass_time(days=40)
    world.buy(ada, purchase())
    charge_back_elsewhere(world, first)
    with pytest.raises(NotPossible, match="was changed by a later order"):
        support_refund.give_back(first, by="ops", why="went back in the Dashboard")
    assert world.order(first).status is OrderStatus.COMPLETED


def test_a_part_that_went_back_elsewhere_without_a_webhook_ends_nothing(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    charge_back_elsewhere(world, order_id, 19_00)
    with pytest.raises(NotPossible, match=r"Refund the remaining 100\.00 EUR"):
        support_refund.give_back(order_id, by="ops", why="asked")
    assert (world.order(order_id).status, world.subscription(ada, "desk").status) == (OrderStatus.COMPLETED, "active")
    assert world.timeline(order_id).count("refund.elsewhere") == 1


def test_what_has_ended_otherwise_is_not_refunded_and_nothing_impossible_is_advised(world: World) -> None:
    order_id = world.run(world.place(world.customer(card=None), purchase())).id
    with pytest.raises(NotPossible, match=r"only a completed one can be refunded; cancel it instead$"):
        refund(world, order_id)
    assert world.cancel(order_id) is OrderStatus.CANCELLED
    with pytest.raises(NotPossible, match=r"only a completed one can be refunded$"):
        refund(world, order_id)


@pytest.mark.parametrize(
    ("step", "advice"),
    [
        (Step.ACTIVATE_SUBSCRIPTION, "cancel it instead"),
        (
            Step.SEND_CONFIRMATION_EMAIL,
            "let it complete first: what it bought is active, only its letters are not sent "
            r"\(`prorata orders resume 1001`, with --without-letters if they cannot be\)",
        ),
    ],
)
def test_what_is_not_completed_yet_is_not_refunded_and_what_can_be_done_is_said(
    world: World, step: Step, advice: str
) -> None:
    order_id = parked_before(world, step)
    with pytest.raises(NotPossible, match=rf"only a completed one can be refunded; {advice}$"):
        refund(world, order_id)


def test_what_is_being_undone_is_not_refunded_once_more(world: World) -> None:
    _, order_id = unrefundable(world)
    with pytest.raises(NotPossible, match=r"it is being undone already$"):
        refund(world, order_id)


def test_what_charged_no_card_is_not_refunded(world: World) -> None:
    order_id = world.buy(world.customer(), trial()).id
    with pytest.raises(NotPossible, match="charged no card, so there is nothing to give back"):
        refund(world, order_id)


def test_what_balance_paid_wholly_is_not_refunded(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 119_00)
    order_id = world.buy(ada, purchase()).id
    with pytest.raises(NotPossible, match="the account's balance paid for it, and no command takes that back"):
        refund(world, order_id)
    assert world.order(order_id).status is OrderStatus.COMPLETED


def test_what_is_paid_by_invoice_is_not_refunded(world: World) -> None:
    world.policy(invoice_on_vat=True)
    ada = world.customer(country="FR", vat_number="FR40303265045", card=None)
    world.vies.register("FR40303265045", status="valid")
    order = world.buy(ada, purchase())
    assert order.status is OrderStatus.COMPLETED
    with pytest.raises(NotPossible, match="it is paid by invoice, and no command takes that back"):
        refund(world, order.id)
    assert world.order(order.id).status is OrderStatus.COMPLETED


def settle(order_id: UUID) -> bool:
    return outside_refunds.settle(order_id, by="ops", why="bank transfer").provider_asked


def unrefundable(world: World) -> tuple[Customer, UUID]:
    """A charged order parked at a refund that the provider refuses: a part of it went back by hand."""
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    [charge] = world.rows(ChargeAttempt, order_id=order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": str(charge.ref), "amount": 19_00})
    refund(world, order_id)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    return ada, order_id


def test_a_refund_made_outside_ends_the_order_and_the_provider_is_not_asked_for_it(world: World) -> None:
    ada, order_id = unrefundable(world)
    settle(order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    [mail] = world.mailbox.listed(f"to:{ada.email} subject:refunded")
    assert "Refunded in another way, not to your card" in world.mailbox.read(mail["ID"])["Text"]
    assert world.given_back(ada) == [19_00]
    [row] = world.rows(RefundAttempt, order_id=order_id)
    assert (row.status, row.amount_minor, row.ref) == (RefundState.SUCCEEDED, 119_00, f"outside:{order_id}:1")
    [event] = world.noted(order_id, "refund.settled_outside")
    sums = {"amount_minor": 119_00, "owed_minor": 100_00, "by_bank_minor": 0}
    assert event == {"attempt": 1, "by": "ops", "why": "bank transfer"} | sums
    assert "refund_notice" in world.letters(order_id)
    assert [document.kind for document in world.rows(Invoice, order_id=order_id, sign=-1)] == ["credit_note"]
    assert verified(world) == []


def test_a_refund_made_outside_is_settled_once(world: World) -> None:
    _, order_id = unrefundable(world)
    settle(order_id)
    with pytest.raises(NotPossible, match=r"has been recorded as given back, 100\.00 EUR of it as paid, by ops"):
        settle(order_id)
    world.park(order_id)
    with pytest.raises(NotPossible, match="is back already; resume it instead"):
        settle(order_id)
    assert world.refunds(order_id) == [("succeeded", 119_00)]


def whose_answer_was_lost(world: World) -> tuple[Customer, UUID]:
    """A charged order parked at a refund that the provider made, though we never learned of it."""
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    refund(world, order_id)
    world.stripe.fail("answer_lost", "refunds.create")
    world.stripe.fail("unavailable", "refunds.list")
    world.run(order_id)
    assert (world.given_back(ada), world.refunds(order_id)) == ([119_00], [("pending", 119_00)])
    world.park(order_id)
    return ada, order_id


def test_a_refund_that_the_provider_made_is_not_settled_as_made_outside(world: World) -> None:
    _, order_id = whose_answer_was_lost(world)
    world.stripe.calm()
    with pytest.raises(NotPossible, match=r"the provider has given back what order .* was charged; resume it instead"):
        settle(order_id)
    resume(world, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.refunds(order_id) == [("succeeded", 119_00)]


def test_a_refund_that_the_provider_made_too_is_named_once_it_tells(world: World) -> None:
    _, order_id = whose_answer_was_lost(world)
    assert not settle(order_id), "the provider was asked"
    assert world.run(order_id).status is OrderStatus.REFUNDED
    world.stripe.calm()
    world.notify(world.charge_ref(order_id), "charge.refunded")
    assert "refund.elsewhere" in world.timeline(order_id)


def test_a_provider_that_refuses_our_key_keeps_no_refund_made_outside_from_being_settled(world: World) -> None:
    _, order_id = unrefundable(world)
    wiring.plug_in(replace(world.wiring, payments=world.stripe.payments(api_key="sk_test_revoked")))
    assert not settle(order_id), "the provider was asked"
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.refunds(order_id) == [("succeeded", 119_00)]


def test_a_provider_that_refuses_to_tell_keeps_no_refund_made_outside_from_being_settled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe has no such refusal; another provider may."""
    _, order_id = unrefundable(world)

    def refuse(*, charge_ref: str) -> NoReturn:
        raise Refused(charge_ref)

    monkeypatch.setattr(world.wiring.payments, "find_refunds", refuse)
    assert not settle(order_id), "the provider was asked"
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.refunds(order_id) == [("succeeded", 119_00)]


def test_an_order_that_was_refunded_is_not_settled_and_nobody_is_told_to_resume_it(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    refund(world, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    with pytest.raises(NotPossible, match="does not need attention: it is refunded"):
        settle(order_id)


def test_only_an_order_parked_at_its_refund_is_settled(world: World) -> None:
    order_id = parked_before(world, Step.ACTIVATE_SUBSCRIPTION)
    with pytest.raises(NotPossible, match="stands at activate_subscription, where no refund is to be settled"):
        settle(order_id)
    assert (world.refunds(order_id), world.order(order_id).status) == ([], OrderStatus.NEEDS_ATTENTION)


def test_an_order_that_charged_nothing_has_no_refund_to_settle(world: World) -> None:
    order_id = parked_before(world, Step.COLLECT_PAYMENT)
    resume(world, order_id, Step.REFUND_PAYMENT)
    world.park(order_id)
    with pytest.raises(NotPossible, match="charged no card, so there is nothing to settle"):
        settle(order_id)


def test_who_resumes_by_a_plan_that_is_outdated_is_refused(world: World) -> None:
    """Another operator was faster, and the order is parked again, elsewhere: from there the plan would give its money back."""
    order_id = parked_before(world, Step.COLLECT_PAYMENT)
    outdated = plan(world, order_id)
    resume(world, order_id)
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    world.park(order_id)
    with pytest.raises(NotPossible, match="moved on"), world.begin() as session:
        resumption.resume(session, order_id, outdated, by="ops")
    resume(world, order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_a_subscription_that_runs_on_a_refunded_order_is_named(world: World) -> None:
    order = world.buy(world.customer(), purchase())
    with world.begin() as session:
        session.execute(update(Order).where(Order.id == order.id).values(status=OrderStatus.REFUNDED))
        found = [each.what for each in verify(session)]
        session.rollback()
    assert "running on an order that was refunded" in found
