"""Rule 9 and the VAT number: what the registry's answer decides, in each of its three answers and under each outage policy."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.accounts import VatCheck
from models.invoices import Invoice
from models.orders import Order
from models.rules.vat import BuyerType
from models.states import OrderStatus, PaymentKind, Step
from models.vat_follow_ups import VatFollowUp
from tasks.errors import Misconfigured
from tasks.letters.reasons import Instead
from tasks.policy import VatOutage
from tasks.vat import number_instead
from tests.support.payment import DECLINES
from tests.support.vat_outage import nothing_differs
from tests.support.world import Customer, World, purchase, trial

FRENCH = "FR40303265045"
GERMAN = "DE129273398"


@pytest.fixture
def ada(world: World) -> Customer:
    """A French business with a VAT number and a card; the seller is German."""
    return world.customer(country="FR", vat_number=FRENCH)


def answers(world: World, customer: Customer) -> list[str]:
    return [check.status.value for check in world.rows(VatCheck, account_id=customer.account_id)]


def test_a_number_that_the_registry_confirms_makes_it_reverse_charge_and_is_kept_as_evidence(
    world: World, ada: Customer
) -> None:
    order = world.buy(ada, purchase())
    assert (order.status, order.tax_minor, order.lines[0].tax_treatment) == ("completed", 0, "reverse_charge")
    assert world.charged(ada) == [100_00]
    [check] = world.rows(VatCheck, account_id=ada.account_id)
    assert (check.id, check.status, check.number) == (order.vat_check_id, "valid", FRENCH)
    assert check.consultation_number


@pytest.mark.parametrize(
    ("seller", "number", "asks_as"),
    [
        ("DE", "DE 136 695 976", ("DE", "136695976")),
        ("DE", "de136695976", ("DE", "136695976")),
        ("DE", "136695976", ("DE", "136695976")),
        ("IT", "IT 00743110157", ("IT", "00743110157")),
        ("GR", "GR094259216", ("EL", "094259216")),
        ("GB", "XI 980 7806 84", ("XI", "980780684")),
        ("GB", "GB980780684", None),
        ("CH", "CHE-123.456.788 MWST", None),
        ("NO", "NO923609016MVA", None),
        ("GB", None, None),
        ("DE", "is being applied for", None),
    ],
)
def test_the_seller_s_number_may_be_written_in_any_way_and_one_that_vies_does_not_know_is_not_sent(
    world: World, ada: Customer, seller: str, number: str | None, asks_as: tuple[str, str] | None
) -> None:
    world.policy(seller=replace(world.wiring.policy.seller, country=seller, vat_number=number))
    assert world.buy(ada, purchase()).status is OrderStatus.COMPLETED
    [question] = world.vies.questions()
    sent = (question.get("requesterMemberStateCode"), question.get("requesterNumber"))
    assert sent == (asks_as or (None, None))
    [check] = world.rows(VatCheck, account_id=ada.account_id)
    assert (check.status, check.consultation_number is not None) == ("valid", asks_as is not None)
    [invoice] = world.rows(Invoice)
    assert invoice.seller["vat_number"] == number


def test_a_number_of_the_seller_that_vies_does_not_accept_is_named_by_its_setting(world: World, ada: Customer) -> None:
    world.vies.register("DE136695976", status="invalid")
    order_id = world.place(ada, purchase())
    with pytest.raises(Misconfigured):
        world.run(order_id)
    order = world.order(order_id)
    assert (order.status, order.last_error) == (
        OrderStatus.NEEDS_ATTENTION,
        "collect_payment: VIES does not accept the seller's own VAT number, see PRORATA_SELLER_VAT_NUMBER: INVALID_REQUESTER_INFO",
    )
    assert world.charged(ada) == []


@pytest.mark.parametrize("piece", ["x", "\0", "\x9b", "\N{GRINNING FACE}"], ids=ascii)
def test_an_answer_longer_than_any_that_can_be_kept_stops_no_order(world: World, ada: Customer, piece: str) -> None:
    world.vies.register(FRENCH, status="valid", name="A" + piece * 1500, address="B" + piece * 1500)
    assert world.buy(ada, purchase()).status is OrderStatus.COMPLETED
    [check] = world.rows(VatCheck, account_id=ada.account_id)
    assert (check.registered_name or "").startswith("A")
    assert (check.registered_address or "").startswith("B")


def test_the_registrys_answer_stands_for_a_day(world: World, ada: Customer) -> None:
    world.buy(ada, purchase("desk"))
    world.buy(ada, purchase("chat"))
    assert len(world.vies.questions()) == 1


def test_the_answer_that_a_number_is_invalid_stands_for_a_day_for_it_may_be_registered_since(
    world: World, ada: Customer
) -> None:
    world.vies.register(FRENCH, status="invalid")
    world.cancel(world.buy(ada, purchase()).id)
    assert world.quote(ada, purchase()).tax_minor == 20_00
    world.vies.register(FRENCH, status="valid")
    world.pass_time(days=1, seconds=1)
    later = world.buy(ada, purchase())
    assert (later.status, later.tax_minor, len(world.vies.questions())) == ("completed", 0, 2)


def test_an_invalid_number_stops_the_order_and_the_fresh_quote_has_vat(world: World, ada: Customer) -> None:
    world.vies.register(FRENCH, status="invalid")
    order = world.buy(ada, purchase())
    facts = order.reason_facts or {}
    assert (order.status, facts["differs"]) == (OrderStatus.AWAITING_CONFIRMATION, ["vat_number"])
    assert (facts["quoted_due_minor"], facts["due_minor"]) == (100_00, 120_00)
    assert world.charged(ada) == []
    world.confirm(order.id)
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [120_00]


@pytest.mark.parametrize("outage", [None, *VatOutage])
@pytest.mark.parametrize("invoice_on_vat", [False, True])
def test_a_trial_waits_for_no_registry(world: World, outage: VatOutage | None, *, invoice_on_vat: bool) -> None:
    world.policy(vat_outage=outage or VatOutage.HOLD, invoice_on_vat=invoice_on_vat)
    if outage is None:
        world.vies.register(FRENCH, status="invalid")
    else:
        world.vies.fail("MS_UNAVAILABLE")
    ada = world.customer(card=None, country="FR", vat_number=FRENCH)
    assert world.buy(ada, trial()).status is OrderStatus.COMPLETED
    assert world.vies.questions() == []


@pytest.mark.parametrize("timezone", ["Europe/Tallinn", "America/New_York"])
def test_the_rate_is_that_of_the_day_where_the_buyer_is_quoted_and_charged_alike(world: World, timezone: str) -> None:
    """Estonia's 24 % began on 1 July 2025 at midnight in Tallinn, whatever time zone the account chose."""
    eva = world.customer(country="EE", timezone=timezone, buyer_type="consumer")
    world.time = datetime(2025, 6, 30, 20, 59, 59, tzinfo=UTC)
    assert world.buy(eva, purchase("desk")).lines[0].tax_rate == 22
    world.time += timedelta(seconds=1)
    order = world.buy(eva, purchase("chat"))
    assert order.status is OrderStatus.COMPLETED
    assert world.charged(eva) == [122_00, 124_00]


def test_at_home_the_registry_is_not_asked(world: World) -> None:
    ada = world.customer(vat_number=GERMAN)
    assert world.buy(ada, purchase()).due_minor == 119_00
    assert world.vies.questions() == []


def test_in_an_outage_a_number_is_taken_on_trust_where_the_merchant_says_so(world: World, ada: Customer) -> None:
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(ada, purchase())
    assert (order.status, order.vat_provisional, world.charged(ada)) == ("completed", True, [100_00])
    assert answers(world, ada) == ["unavailable"]


def test_in_an_outage_vat_is_charged_where_the_merchant_says_so_once_the_customer_agrees(
    world: World, ada: Customer
) -> None:
    world.policy(vat_outage=VatOutage.CHARGE_VAT)
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(ada, purchase())
    assert (order.status, (order.reason_facts or {})["differs"]) == ("awaiting_confirmation", ["vat_registry"])
    world.confirm(order.id)
    order = world.run(order.id)
    assert (order.status, order.vat_set_aside, world.charged(ada)) == ("completed", True, [120_00])


def with_vat_and_a_declined_card(world: World, customer: Customer, *, hours: float = 1) -> Order:
    """Agreed to at 120.00, in an outage; the quote expires before there is another card, unless that comes within half an hour."""
    world.policy(vat_outage=VatOutage.CHARGE_VAT)
    world.vies.fail("MS_UNAVAILABLE")
    world.give_card(customer, DECLINES)
    order_id = world.buy(customer, purchase()).id
    world.confirm(order_id)
    order = world.run(order_id)
    assert (order.status, order.vat_set_aside, order.due_minor) == (OrderStatus.PAYMENT_DECLINED, True, 120_00)
    world.pass_time(hours=hours)
    world.give_card(customer)
    return order


def asked_anew(world: World, order: Order) -> tuple[int, list[str]]:
    """What the order asks to confirm now, and for what reasons."""
    world.pay_again(order.id)
    facts = (found := world.run(order.id)).reason_facts or {}
    assert found.status is OrderStatus.AWAITING_CONFIRMATION
    return facts["due_minor"], facts["differs"]


def test_vat_that_was_agreed_to_in_an_outage_is_in_the_fresh_quote_of_an_expired_one(
    world: World, ada: Customer
) -> None:
    order = with_vat_and_a_declined_card(world, ada)
    assert asked_anew(world, order) == (120_00, ["period"])
    world.confirm(order.id)
    order = world.run(order.id)
    assert (order.status, order.vat_set_aside, world.charged(ada)) == ("completed", True, [120_00])
    assert answers(world, ada) == ["unavailable"]
    assert [row.number for row in world.rows(VatFollowUp)] == [FRENCH]


@pytest.mark.parametrize("said", ["valid", "invalid"])
def test_once_the_registry_has_answered_the_fresh_quote_goes_by_that(world: World, ada: Customer, said: str) -> None:
    order = with_vat_and_a_declined_card(world, ada)
    world.vies.forget()
    world.vies.register(FRENCH, status=said)
    world.buy(ada, purchase("chat"))
    due, differs = (100_00, ["period", "tax_treatment"]) if said == "valid" else (120_00, ["period"])
    assert asked_anew(world, order) == (due, differs)
    world.confirm(order.id)
    order = world.run(order.id)
    assert (order.status, order.vat_set_aside, order.due_minor) == ("completed", False, due)
    assert answers(world, ada) == ["unavailable", said]


@pytest.mark.parametrize(
    ("account", "due"),
    [
        ({"vat_number": None}, 120_00),
        ({"vat_number": "FR83404833048"}, 100_00),
        ({"country": "DE", "vat_number": GERMAN}, 119_00),
    ],
    ids=["none", "another", "one of the seller's country"],
)
def test_what_was_set_aside_is_the_number_that_was_asked_about_and_no_other(
    world: World, ada: Customer, account: dict[str, Any], due: int
) -> None:
    order = with_vat_and_a_declined_card(world, ada)
    world.change_account(ada, **account)
    assert asked_anew(world, order)[0] == due
    world.confirm(order.id)
    assert not world.order(order.id).vat_set_aside


def test_another_number_that_decides_the_vat_is_not_set_aside_though_the_quote_has_not_expired(
    world: World, ada: Customer
) -> None:
    order = with_vat_and_a_declined_card(world, ada, hours=0.1)
    world.vies.forget()
    world.vies.register(another := "FR83404833048", status="valid")
    world.change_account(ada, vat_number=another)
    assert asked_anew(world, order) == (100_00, ["tax_rate", "tax_treatment"])
    world.confirm(order.id)
    order = world.run(order.id)
    assert (order.status, order.vat_set_aside, world.charged(ada)) == ("completed", False, [100_00])
    assert (order.vat_number, answers(world, ada)) == (another, ["unavailable", "valid"])
    assert world.rows(VatFollowUp) == []


@pytest.mark.parametrize(
    ("number", "set_aside", "asked_again"), [(FRENCH, True, [FRENCH]), (None, False, [])], ids=["same", "none"]
)
def test_an_order_goes_on_as_agreed_where_the_number_set_aside_stays_or_is_removed(
    world: World, ada: Customer, *, number: str | None, set_aside: bool, asked_again: list[str]
) -> None:
    order = with_vat_and_a_declined_card(world, ada, hours=0.1)
    world.change_account(ada, vat_number=number)
    world.pay_again(order.id)
    order = world.run(order.id)
    assert (order.status, order.vat_set_aside, world.charged(ada)) == ("completed", set_aside, [120_00])
    assert [row.number for row in world.rows(VatFollowUp)] == asked_again
    assert nothing_differs(world)


def test_in_an_outage_the_order_waits_where_the_merchant_says_so_and_goes_on_by_itself(
    world: World, ada: Customer
) -> None:
    world.policy(vat_outage=VatOutage.HOLD)
    world.vies.fail("MS_UNAVAILABLE")
    order = world.go_on(world.place(ada, purchase()), times=3)
    assert (order.status, order.restarts, order.last_error) == ("open", 0, "the VAT registry is unavailable")
    world.vies.forget()
    assert world.go_on(order.id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [100_00]


def test_an_order_that_waits_for_the_registry_can_be_cancelled(world: World, ada: Customer) -> None:
    world.policy(vat_outage=VatOutage.HOLD)
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(ada, purchase())
    world.cancel(order.id)
    assert world.go_on(order.id).status is OrderStatus.CANCELLED
    assert world.charged(ada) == []


def test_an_outage_is_never_remembered_as_an_answer(world: World, ada: Customer) -> None:
    world.vies.fail("MS_UNAVAILABLE")
    world.buy(ada, purchase("desk"))
    world.vies.forget()
    assert world.buy(ada, purchase("chat")).vat_provisional is False
    assert answers(world, ada) == ["unavailable", "valid"]


@pytest.mark.parametrize(("country", "number"), [("FR", FRENCH), ("DE", GERMAN)])
def test_an_accepted_number_is_invoiced_with_payment_terms_where_the_merchant_allows(
    world: World, country: str, number: str
) -> None:
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, country=country, vat_number=number)
    order = world.buy(ada, purchase())
    assert (order.status, order.payment_kind) == (OrderStatus.COMPLETED, PaymentKind.INVOICE)
    assert order.payment_due_at == world.time + timedelta(days=30)
    assert world.attempts(order.id) == []


def test_who_has_a_card_is_charged_and_not_invoiced(world: World, ada: Customer) -> None:
    world.policy(invoice_on_vat=True)
    assert world.buy(ada, purchase()).payment_kind is PaymentKind.CARD
    assert world.charged(ada) == [100_00]


def test_a_number_alone_is_not_enough_where_the_merchant_does_not_invoice(world: World) -> None:
    ada = world.customer(card=None, country="FR", vat_number=FRENCH)
    assert world.buy(ada, purchase()).status is OrderStatus.AWAITING_PAYMENT_DETAILS


def said(world: World, order: Order) -> Instead | None:
    """What its customer could do instead of giving a card."""
    with world.begin() as session:
        return number_instead.instead(session, session.get_one(Order, order.id))


@pytest.mark.parametrize(("country", "number"), [("DE", GERMAN), ("FR", FRENCH)])
def test_a_consumer_is_not_invoiced_on_a_number(world: World, country: str, number: str) -> None:
    world.policy(invoice_on_vat=True)
    eva = world.customer(card=None, country=country, vat_number=number, buyer_type=BuyerType.CONSUMER)
    order = world.buy(eva, purchase())
    assert (order.status, order.payment_kind, order.vat_number) == ("awaiting_payment_details", None, None)
    assert said(world, order) is None
    assert world.vies.questions() == []


def test_a_number_that_is_not_registered_is_not_invoiced(world: World) -> None:
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, vat_number="DE111111109")
    assert world.buy(ada, purchase()).status is OrderStatus.AWAITING_PAYMENT_DETAILS


def test_a_number_given_when_asked_for_payment_details_is_priced_confirmed_and_invoiced(world: World) -> None:
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, country="FR")
    order = world.buy(ada, purchase())
    assert (order.status, order.due_minor) == (OrderStatus.AWAITING_PAYMENT_DETAILS, 120_00)
    world.change_account(ada, vat_number=FRENCH)
    world.pay_again(order.id)
    assert world.run(order.id).status is OrderStatus.AWAITING_CONFIRMATION
    world.confirm(order.id)
    order = world.run(order.id)
    assert (order.status, order.payment_kind, order.due_minor) == ("completed", "invoice", 100_00)


@pytest.mark.parametrize(
    ("invoices", "buyer", "would_do"),
    [
        (True, {"country": "FR"}, Instead.GIVE_NUMBER),
        (True, {"country": "DE"}, Instead.GIVE_NUMBER),
        (False, {"country": "FR"}, None),
        (True, {"country": "FR", "buyer_type": BuyerType.CONSUMER}, None),
        (True, {"country": "DE", "vat_number": "DE111111109"}, Instead.CORRECT_UNKNOWN),
        (True, {"country": "US"}, None),
        (True, {"country": "ES", "postcode": "35001"}, None),
    ],
)
@pytest.mark.parametrize("balance", [0, 200_00])
def test_a_vat_number_is_asked_for_where_it_would_do_instead_of_a_card(
    world: World, invoices: bool, buyer: dict[str, Any], would_do: Instead | None, balance: int
) -> None:
    world.policy(invoice_on_vat=invoices)
    ada = world.customer(card=None, **buyer)
    if balance:
        world.grant(ada, balance)
        would_do = would_do or (Instead.GIVE_NUMBER if buyer == {"country": "FR"} else None)
    order = world.buy(ada, purchase())
    assert order.status is OrderStatus.AWAITING_PAYMENT_DETAILS
    assert said(world, order) is would_do


@pytest.mark.parametrize(
    ("invoices", "number", "wrong"),
    [
        (True, "DE136695977", Instead.CORRECT_MALFORMED),
        (True, FRENCH, Instead.CORRECT_MALFORMED),
        (True, "DE111111109", Instead.CORRECT_UNKNOWN),
        (False, "DE136695977", None),
    ],
)
def test_who_gave_a_number_that_is_no_good_instead_of_a_card_is_told_so(
    world: World, invoices: bool, number: str, wrong: Instead | None
) -> None:
    world.policy(invoice_on_vat=invoices)
    ada = world.customer(card=None, vat_number=number)
    for product in ("desk", "chat"):
        order = world.buy(ada, purchase(product))
        assert order.status is OrderStatus.AWAITING_PAYMENT_DETAILS
        assert said(world, order) is wrong


def test_who_confirmed_a_price_with_vat_because_the_number_is_unknown_is_not_asked_for_a_number(world: World) -> None:
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, country="AT", vat_number="ATU11111107")
    order_id = world.buy(ada, purchase()).id
    world.confirm(order_id)
    order = world.run(order_id)
    assert (order.status, order.vat_number) == (OrderStatus.AWAITING_PAYMENT_DETAILS, None)
    assert said(world, order) is Instead.CORRECT_UNKNOWN


def test_no_number_is_asked_for_where_one_was_given_and_set_aside_in_an_outage(world: World) -> None:
    world.policy(vat_outage=VatOutage.CHARGE_VAT, invoice_on_vat=True)
    world.vies.fail("MS_UNAVAILABLE")
    ada = world.customer(card=None, country="FR", vat_number=FRENCH)
    order_id = world.buy(ada, purchase()).id
    world.confirm(order_id)
    order = world.run(order_id)
    assert (order.status, order.vat_set_aside) == (OrderStatus.AWAITING_PAYMENT_DETAILS, True)
    assert said(world, order) is None
    assert answers(world, ada) == ["unavailable"]  # nor is the registry, again


def test_an_invoiced_order_that_is_cancelled_before_activation_owes_nothing(world: World) -> None:
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, vat_number=GERMAN)
    order_id = world.place(ada, purchase())
    from_activation = world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    assert from_activation.payment_kind is PaymentKind.INVOICE
    world.cancel(order_id)
    order = world.run(order_id)
    assert (order.status, world.letters(order_id)) == (OrderStatus.CANCELLED, ["refund_notice"])


AUSTRIAN, ANOTHER = "ATU13585627", "ATU12011204"


def test_what_the_account_says_of_itself_while_the_bank_asks_changes_neither_tax_nor_invoice(world: World) -> None:
    ada = world.customer(card="pm_card_authenticationRequired", country="AT", vat_number=AUSTRIAN, address="Wien")
    order_id = world.buy(ada, purchase()).id
    world.change_account(ada, country="FR", vat_number=None, address="Paris")
    world.authenticate(order_id)
    world.notify(world.charge_ref(order_id))
    assert world.run(order_id).status is OrderStatus.COMPLETED
    [invoice] = world.rows(Invoice)
    assert [invoice.buyer[name] for name in ("country", "address", "vat_number")] == ["AT", "Wien", AUSTRIAN]


def test_a_number_given_when_payment_details_were_asked_for_is_asked_about_and_invoiced(world: World) -> None:
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, country="DE")
    order = world.buy(ada, purchase())
    assert order.status is OrderStatus.AWAITING_PAYMENT_DETAILS
    world.change_account(ada, vat_number=GERMAN)
    world.pay_again(order.id)
    order = world.run(order.id)
    assert (order.status, order.payment_kind, order.vat_number) == ("completed", PaymentKind.INVOICE, GERMAN)
    assert len(world.vies.questions()) == 1


def test_the_number_that_counts_is_the_one_the_account_has_when_the_order_is_carried_out(world: World) -> None:
    ada = world.customer(country="AT", vat_number=AUSTRIAN)
    quote = world.quote(ada, purchase())
    world.vies.register(ANOTHER, status="invalid")
    world.change_account(ada, vat_number=ANOTHER)
    order = world.run(world.place_quote(ada, quote.id))
    assert (order.status, (order.reason_facts or {})["differs"]) == ("awaiting_confirmation", ["vat_number"])
    assert world.charged(ada) == []


def test_another_number_that_the_registry_confirms_is_the_one_on_the_invoice(world: World) -> None:
    ada = world.customer(country="AT", vat_number=AUSTRIAN)
    quote = world.quote(ada, purchase())
    world.change_account(ada, vat_number=ANOTHER)
    order = world.run(world.place_quote(ada, quote.id))
    [invoice] = world.rows(Invoice)
    assert (order.status, order.vat_number, invoice.buyer["vat_number"]) == ("completed", ANOTHER, ANOTHER)


def test_another_number_is_not_one_that_was_taken_on_trust(world: World) -> None:
    world.policy(vat_outage=VatOutage.PROVISIONAL)
    world.vies.fail("MS_UNAVAILABLE")
    ada = world.customer(card=DECLINES, country="AT", vat_number=AUSTRIAN)
    order = world.buy(ada, purchase())
    assert (order.status, order.vat_provisional) == (OrderStatus.PAYMENT_DECLINED, True)
    world.change_account(ada, vat_number=ANOTHER)
    world.pay_again(order.id)
    order = world.run(order.id, until=Step.COLLECT_PAYMENT)
    assert (order.vat_number, order.vat_check_id, order.vat_provisional) == (ANOTHER, None, False)


def test_an_order_confirmed_anew_asks_anew_about_the_number_that_was_taken_on_trust(world: World) -> None:
    world.policy(vat_outage=VatOutage.PROVISIONAL)
    world.vies.fail("MS_UNAVAILABLE")
    ada = world.customer(card=None, country="FR", vat_number=FRENCH)
    order_id = world.buy(ada, purchase()).id
    world.pass_time(days=2)
    world.give_card(ada)
    world.pay_again(order_id)
    asks = world.run(order_id)
    assert (asks.status, asks.vat_provisional) == (OrderStatus.AWAITING_CONFIRMATION, True)
    world.vies.forget()
    world.confirm(order_id)
    order = world.run(order_id)
    assert (order.status, order.vat_provisional) == (OrderStatus.COMPLETED, False)
    assert [row.status for row in world.rows(VatCheck, id=order.vat_check_id)] == ["valid"]
