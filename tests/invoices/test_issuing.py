"""What is invoiced, when, and once: in the transaction that activates what was bought."""

from decimal import Decimal

from models.invoices import InvoiceKind, InvoiceReason, Receivable
from models.orders import Order
from models.states import OrderStatus, PaymentKind, Step
from tasks.billing import invoicing
from tests.invoices.documents import documents, lines, one, summed_up
from tests.support.places import dying_at
from tests.support.world import TODAY, YEAR, World, change, purchase, trial


def test_a_purchase_is_invoiced_with_what_it_cost_and_how_it_was_paid(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase("desk", "team", seats=10))
    invoice = one(world, order.id)
    assert summed_up(invoice) == ("INV-2026-000001", 100_00, 19_00, 119_00)
    assert (invoice.kind, invoice.reason, invoice.issued_on) == (InvoiceKind.INVOICE, InvoiceReason.ORDER, TODAY.date())
    assert (invoice.due_minor, invoice.payment_kind, invoice.card) == (119_00, PaymentKind.CARD, "Visa •••• 4242")


def test_a_line_keeps_the_names_and_the_arithmetic_of_the_day(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    order = world.buy(ada, change("desk", tier="business", seats=4))
    (line,) = lines(world, one(world, order.id))
    assert (line.product_name, line.tier_name, line.from_tier_name) == ("Desk", "Business", "Team")
    assert (line.charge_minor, line.unused_minor, line.net_minor) == (80_00, 50_00, 30_00)
    assert (line.charge_tax_minor, line.unused_tax_minor, line.tax_minor) == (15_20, 9_50, 5_70)
    assert (line.share_left, line.share_whole, line.from_charged_minor) == (1_296_000, 2_592_000, 100_00)
    assert line.from_invoice == "INV-2026-000001"


def test_an_order_that_gives_more_than_it_takes_gets_a_credit_note_of_its_own_series(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    order = world.buy(ada, change("desk", seats=1))
    note = one(world, order.id)
    assert (note.kind, *summed_up(note)) == ("credit_note", "CN-2026-000001", -40_00, -7_60, -47_60)
    assert (note.due_minor, note.to_balance_minor) == (0, 47_60)


def test_what_comes_to_nothing_is_an_invoice_and_taking_it_back_a_credit_note(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    order = world.buy(ada, change("desk", seats=5))
    with world.begin() as session:
        invoicing.issue_credit_note(session, session.get_one(Order, order.id, with_for_update=True))
    asked, taken_back = documents(world, order.id)
    assert (asked.kind, *summed_up(asked)) == ("invoice", "INV-2026-000002", 0, 0, 0)
    assert (taken_back.kind, *summed_up(taken_back)) == ("credit_note", "CN-2026-000001", 0, 0, 0)


def test_an_order_of_only_trials_is_not_invoiced(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, trial("desk"), trial("chat"))
    assert order.status is OrderStatus.COMPLETED
    assert documents(world, order.id) == []


def test_balance_that_paid_stands_on_the_invoice(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 19_00)
    invoice = one(world, world.buy(ada, purchase("desk", "team", seats=10)).id)
    assert (invoice.total_minor, invoice.balance_used_minor, invoice.due_minor) == (119_00, 19_00, 100_00)


def test_what_is_invoiced_instead_of_charged_is_an_open_receivable(world: World) -> None:
    world.policy(invoice_on_vat=True)
    eva = world.customer(card=None, country="AT", vat_number="ATU13585627")
    order = world.buy(eva, purchase("desk", "team", seats=10, interval=YEAR))
    invoice = one(world, order.id)
    assert (invoice.payment_kind, invoice.due_minor) == (PaymentKind.INVOICE, 1000_00)
    assert invoice.payment_due_at == order.payment_due_at
    (owed,) = world.rows(Receivable)
    assert (owed.invoice_id, owed.amount_minor, owed.status, owed.due_at) == (
        invoice.id,
        1000_00,
        "open",
        order.payment_due_at,
    )


def test_seller_and_buyer_stay_on_the_document_as_they_were(world: World) -> None:
    ada = world.customer(name="Old GmbH", address="Old Street 1", country="AT", vat_number="ATU13585627")
    order = world.buy(ada, purchase())
    world.change_account(ada, name="New GmbH", address="New Street 2")
    invoice = one(world, order.id)
    assert invoice.buyer == {
        "name": "Old GmbH",
        "contact": "Ada Byron",
        "address": "Old Street 1",
        "postcode": None,
        "country": "AT",
        "vat_number": "ATU13585627",
    }
    assert (invoice.seller["name"], invoice.seller["vat_number"]) == ("Prorata GmbH", "DE136695976")


def test_activation_delivered_again_issues_nothing_more(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    world.deliver(order.id, Step.ACTIVATE_SUBSCRIPTION)
    assert len(documents(world, order.id)) == 1


def test_an_activation_that_dies_before_it_commits_loses_no_number(world: World) -> None:
    ada, bob = world.customer(), world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    with dying_at("activate_subscription.called"):
        world.deliver(order_id, Step.ACTIVATE_SUBSCRIPTION)
    assert documents(world, order_id) == []
    assert one(world, world.buy(bob, purchase()).id).number == "INV-2026-000001"


def test_what_was_refunded_because_it_could_not_be_given_has_no_invoice(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk"))
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    with world.begin() as session:
        session.get_one(Order, order_id).cancel_requested_at = world.time
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert documents(world, order_id) == []


def test_numbers_begin_anew_each_year(world: World) -> None:
    ada = world.customer()
    first = one(world, world.buy(ada, purchase("desk")).id)
    world.pass_time(days=61)
    second = one(world, world.buy(ada, purchase("chat")).id)
    assert (first.number, second.number) == ("INV-2026-000001", "INV-2027-000001")


def test_a_credit_is_taxed_at_the_rate_it_was_charged_at(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    world.change_account(ada, country="AT", vat_number=None)
    order = world.buy(ada, change("desk", seats=20))
    (line,) = lines(world, one(world, order.id))
    assert (line.tax_rate, line.charge_tax_minor) == (Decimal(20), 40_00)
    assert (line.from_tax_rate, line.unused_tax_minor) == (Decimal(19), 9_50)
