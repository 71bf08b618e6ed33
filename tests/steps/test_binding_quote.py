"""Rules 7, 8 and 9: one net charge for all lines; the charge equals the quote, or the order asks; how an order is paid."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from models.accounts import PaymentMethod, PaymentMethodStatus
from models.catalogue import Tier
from models.rules.refusals import RefusalCode
from models.states import OrderStatus, Step
from models.subscriptions import Subscription, SubscriptionPeriod
from tasks.placement import RequestRefused
from tests.support.payment import spoil_activation
from tests.support.world import MONTH, World, change, purchase, trial

ASKS = OrderStatus.AWAITING_CONFIRMATION


def test_several_lines_are_one_order_with_one_net_charge(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", 10))
    order = world.buy(ada, change("desk", seats=5), purchase("chat", "business", 4), purchase("wiki", "basic", 1))
    assert [line.net_minor for line in order.lines] == [-50_00, 80_00, 5_00]
    assert (order.net_minor, order.tax_minor, order.due_minor) == (35_00, 6_65, 41_65)
    assert world.charged(ada) == [119_00, 41_65]
    assert [world.subscription(ada, product).seats for product in ("desk", "chat", "wiki")] == [5, 4, 1]


def test_purchase_trial_and_change_go_together(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("wiki", "team", 1))
    order = world.buy(ada, change("wiki", seats=2), purchase("desk", "team", 1), trial("chat", "team", 3))
    assert (order.status, order.net_minor) == (OrderStatus.COMPLETED, 20_00)
    assert world.letters(order.id) == ["confirmation", "seat_prompt", "trial_welcome"]


def test_where_one_line_cannot_be_activated_none_is_and_all_money_goes_back(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    spoil_activation(world, ada, order_id)
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "trial-used")
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [119_00])
    assert world.rows(Subscription, account_id=ada.account_id) == []


def test_a_quote_says_everything_before_the_order(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    world.grant(ada, 10_00)
    quote = world.quote(ada, change(seats=20))
    line = quote.lines[0]
    assert (line.seats, line.unit_minor, line.charge_minor, line.unused_minor) == (20, 10_00, 200_00, 100_00)
    assert (quote.tax_minor, quote.balance_used_minor, quote.due_minor) == (19_00, 10_00, 109_00)
    assert (line.period_start, quote.expires_at) == (world.time, world.time + timedelta(minutes=30))
    assert quote.needs_payment_details


def test_a_quote_can_be_ordered_until_the_instant_it_expires(world: World) -> None:
    ada = world.customer()
    first, second = world.quote(ada, purchase("desk")), world.quote(ada, purchase("chat"))
    world.pass_time(minutes=29, seconds=59)
    world.place_quote(ada, first.id)
    world.pass_time(seconds=1)
    with pytest.raises(RequestRefused) as refused:
        world.place_quote(ada, second.id)
    assert refused.value.code == "quote-expired"


def test_a_quote_that_a_confirmation_replaced_cannot_be_ordered_again(world: World) -> None:
    """Not even by the same request with another API key, when everything is as it was quoted once more."""
    ada = world.customer()
    quote = world.quote(ada, purchase("desk", "team", 10))
    order_id = world.place_quote(ada, quote.id)
    world.reprice("desk", "team", MONTH, 12_00)
    assert world.run(order_id).status is ASKS
    world.confirm(order_id)
    assert world.cancel(order_id) is OrderStatus.OPEN
    assert world.run(order_id).status is OrderStatus.CANCELLED
    world.reprice("desk", "team", MONTH, 10_00)
    with pytest.raises(RequestRefused) as refused:
        world.place_quote(ada, quote.id)
    assert (refused.value.code, refused.value.facts) == ("quote-used", {"order_id": str(order_id)})
    assert world.charged(ada) == []


def test_another_price_stops_the_order_with_both_amounts_and_takes_no_money(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk", "team", 10))
    world.reprice("desk", "team", MONTH, 12_00)
    order = world.run(order_id)
    facts = order.reason_facts or {}
    assert (order.status, order.reason, facts["differs"]) == (ASKS, "amount-differs", ["unit_minor"])
    assert (facts["quoted_due_minor"], facts["due_minor"]) == (119_00, 142_80)
    assert (world.charged(ada), world.mails(ada)) == ([], [])


def test_an_accepted_fresh_quote_is_charged_and_binding_like_the_first(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk", "team", 10))
    world.reprice("desk", "team", MONTH, 12_00)
    world.run(order_id)
    world.confirm(order_id)
    order = world.run(order_id)
    assert (order.status, order.revision, order.due_minor) == (OrderStatus.COMPLETED, 2, 142_80)
    assert world.charged(ada) == [142_80]


def test_a_confirmation_of_the_quote_that_the_order_has_already_says_which_one_it_waits_for(world: World) -> None:
    ada = world.customer()
    quote = world.quote(ada, purchase("desk", "team", 10))
    order_id = world.place_quote(ada, quote.id)
    world.reprice("desk", "team", MONTH, 12_00)
    world.run(order_id)
    with pytest.raises(RequestRefused, match="confirm the one that it now waits for") as refused:
        world.confirm(order_id, quote.id)
    assert refused.value.code == "quote-used"
    assert world.order(order_id).status is ASKS


def test_a_price_that_changes_again_is_asked_again(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk", "team", 10))
    for price in (12_00, 13_00):
        world.reprice("desk", "team", MONTH, price)
        assert world.run(order_id).status is ASKS
        world.confirm(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [154_70]


def test_only_a_live_quote_for_the_same_cart_and_account_is_accepted(world: World) -> None:
    ada, bob = world.customer(), world.customer()
    order_id = world.place(ada, purchase("desk", "team", 10))
    world.reprice("desk", "team", MONTH, 12_00)
    world.run(order_id)
    for quote, code in (
        (world.quote(bob, purchase("desk", "team", 10)), "unknown-quote"),
        (world.quote(ada, purchase("desk", "team", 11)), "quote-differs"),
    ):
        with pytest.raises(RequestRefused) as refused:
            world.confirm(order_id, quote.id)
        assert refused.value.code == code
    world.pass_time(minutes=30)
    with pytest.raises(RequestRefused) as refused:
        world.confirm(order_id)
    assert refused.value.code == "quote-expired"


def test_an_expired_proposal_is_replaced_by_a_quote_that_the_customer_asks_for(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk", "team", 10))
    world.reprice("desk", "team", MONTH, 12_00)
    world.run(order_id)
    world.pass_time(hours=1)
    world.confirm(order_id, world.quote(ada, purchase("desk", "team", 10)).id)
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_an_order_that_waits_for_nothing_cannot_be_confirmed(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk"))
    with pytest.raises(RequestRefused) as refused:
        world.confirm(order_id, world.quote(ada, purchase("chat")).id)
    assert refused.value.code == "not-waiting"


def test_balance_spent_by_another_order_in_between_is_asked_about(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 50_00)
    first, second = world.place(ada, purchase("desk")), world.place(ada, purchase("chat"))
    assert world.run(first).status is OrderStatus.COMPLETED
    order = world.run(second)
    facts = order.reason_facts or {}
    assert (order.status, facts["differs"]) == (ASKS, ["balance_used_minor"])
    assert (facts["quoted_due_minor"], facts["due_minor"]) == (69_00, 119_00)
    assert world.charged(ada) == [69_00]


def test_more_balance_than_was_quoted_does_not_stop_the_order(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 50_00)
    order_id = world.place(ada, purchase())
    world.grant(ada, 30_00)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), world.balance(ada)) == ([69_00], 30_00)


def test_the_balance_comes_back_while_the_order_asks_and_is_used_when_it_goes_on(world: World) -> None:
    ada = world.customer(country="FR", vat_number="FR40303265045")
    world.vies.register("FR40303265045", status="invalid")
    world.grant(ada, 50_00)
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    assert world.balance(ada) == 0
    assert world.run(order_id).status is ASKS
    assert world.balance(ada) == 50_00
    world.confirm(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), world.balance(ada)) == ([70_00], 0)


def test_a_fresh_quote_that_cannot_be_given_rejects_the_order(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk"))
    order_id = world.place(ada, change("desk", seats=9))
    world.run(order_id, until=Step.COMPUTE_PRORATION)
    with world.begin() as session:
        session.get_one(Tier, ("desk", "team")).rank = 5
        session.execute(update(SubscriptionPeriod).values(seats=4))
    world.pass_time(days=15)
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, RefusalCode.TRIAL_ENDED)


# How it is paid


def test_a_purchase_without_payment_details_asks_for_them_and_goes_on_with_a_card(world: World) -> None:
    ada = world.customer(card=None)
    order_id = world.place(ada, purchase())
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.AWAITING_PAYMENT_DETAILS, "payment-details-missing")
    world.give_card(ada)
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_a_purchase_that_the_balance_pays_asks_for_payment_details_all_the_same(world: World) -> None:
    ada = world.customer(card=None)
    world.grant(ada, 500_00)
    assert world.buy(ada, purchase()).status is OrderStatus.AWAITING_PAYMENT_DETAILS


def test_a_change_that_costs_nothing_asks_for_no_payment_details(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    with world.begin() as session:
        session.execute(update(PaymentMethod).values(status=PaymentMethodStatus.REPLACED))
    assert world.buy(ada, change(seats=5)).status is OrderStatus.COMPLETED
    assert world.buy(ada, change(seats=9)).status is OrderStatus.AWAITING_PAYMENT_DETAILS


def test_a_rise_that_another_line_pays_for_asks_for_no_payment_details(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", 10), purchase("wiki", "team", 10))
    with world.begin() as session:
        session.execute(update(PaymentMethod).values(status=PaymentMethodStatus.REPLACED))
    order = world.buy(ada, change("desk", seats=5), change("wiki", seats=15))
    assert (order.status, order.total_minor) == (OrderStatus.COMPLETED, 0)


@pytest.mark.parametrize("card", [None, "pm_card_chargeCustomerFail"])
def test_balance_stays_set_aside_while_the_order_waits_for_a_card(world: World, card: str | None) -> None:
    ada = world.customer(card=card)
    world.grant(ada, 19_00)
    order_id = world.buy(ada, purchase()).id
    assert world.order(order_id).status in (OrderStatus.AWAITING_PAYMENT_DETAILS, OrderStatus.PAYMENT_DECLINED)
    assert world.balance(ada) == 0
    world.cancel(order_id)
    assert world.balance(ada) == 19_00


def test_paying_again_finds_a_changed_price_before_any_charge(world: World) -> None:
    ada = world.customer(card=None)
    order_id = world.place(ada, purchase())
    world.run(order_id)
    world.give_card(ada)
    world.reprice("desk", "team", MONTH, 12_00)
    world.pay_again(order_id)
    assert world.run(order_id).status is ASKS
    assert world.charged(ada) == []


def test_balance_set_aside_for_each_quote_of_an_order_is_released_with_each(world: World) -> None:
    ada = world.customer(card=None)
    world.grant(ada, 19_00)
    order_id = world.buy(ada, purchase()).id
    assert world.balance(ada) == 0
    world.reprice("desk", "team", MONTH, 12_00)
    world.pay_again(order_id)
    assert world.run(order_id).status is ASKS
    assert world.balance(ada) == 19_00
    world.confirm(order_id)
    assert world.run(order_id).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    assert world.balance(ada) == 0
    world.cancel(order_id)
    assert world.balance(ada) == 19_00


def test_a_vat_number_that_turned_invalid_is_asked_for_and_its_correction_is_priced_anew(world: World) -> None:
    ada = world.customer(country="FR")
    world.grant(ada, 20_00)
    order_id = world.place(ada, purchase())
    world.change_account(ada, vat_number="FR12345678901")
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.AWAITING_PAYMENT_DETAILS, "vat-number-invalid")
    world.change_account(ada, vat_number=None)
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), world.balance(ada)) == ([100_00], 0)


def test_an_order_that_does_not_wait_cannot_be_paid_again(world: World) -> None:
    order = world.buy(world.customer(), purchase())
    with pytest.raises(RequestRefused) as refused:
        world.pay_again(order.id)
    assert refused.value.code == "not-waiting"


def test_an_amount_below_what_a_card_can_be_charged_ends_the_order(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 118_80)
    order = world.buy(ada, purchase())
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "amount-too-small")
    assert (world.charged(ada), world.balance(ada)) == ([], 118_80)
    assert world.attempts(order.id) == [(1, "void", 20)]
