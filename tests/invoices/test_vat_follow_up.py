"""Orders that went on while the VAT registry was away: asked about again, and put right once, never by a silent charge."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from sqlalchemy import text

from models import invoices
from models.accounts import Language
from models.invoices import Invoice, Receivable
from models.orders import Order, OrderedProduct
from models.rules.period import Interval
from models.states import OrderStatus, Step
from models.subscriptions import SubscriptionPeriod
from models.vat_follow_ups import VatFollowUp
from tasks.billing import invoicing, receivables
from tasks.operating import support_refund
from tasks.placement import RequestRefused
from tasks.policy import VatOutage
from tasks.vat.vat_follow_up import vat_follow_up
from tests.invoices.documents import attached, documents, html, pdf, summed_up, text_of
from tests.support import books
from tests.support.places import dying_at
from tests.support.vat_outage import (
    NUMBER,
    ask_again,
    corrected_invoice,
    during_outage,
    follow_up,
    nothing_differs,
    turns_out_invalid,
)
from tests.support.world import Customer, World, change, purchase, trial


def test_a_number_taken_on_trust_that_is_confirmed_stands_with_its_evidence(world: World) -> None:
    eva, order = during_outage(world)
    assert (order.vat_provisional, order.tax_minor) == (True, 0)
    assert ask_again(world) == 1
    after = world.order(order.id)
    row = follow_up(world, order)
    assert (row.outcome, row.letter_owed) == ("confirmed", False)
    assert (after.vat_provisional, after.vat_check_id) == (False, row.vat_check_id)
    assert len(documents(world, order.id)) == 1
    assert len(world.mails(eva)) == 2


@pytest.mark.parametrize(("country", "number"), [("DE", "DE 136 695 976"), ("CH", "CHE-123.456.788 MWST")])
def test_the_seller_s_own_number_may_be_written_in_any_way(world: World, country: str, number: str) -> None:
    world.policy(seller=replace(world.wiring.policy.seller, country=country, vat_number=number))
    _, order = during_outage(world)
    ask_again(world)
    assert follow_up(world, order).outcome == "confirmed"
    asks_as = "136695976" if country == "DE" else None
    assert [question.get("requesterNumber") for question in world.vies.questions()][-1] == asks_as


def test_a_number_taken_on_trust_that_is_invalid_leads_to_a_corrected_invoice_and_no_charge(world: World) -> None:
    eva, order = during_outage(world)
    turns_out_invalid(world)
    first, taken_back, corrected = documents(world, order.id)
    assert summed_up(first) == ("INV-2026-000001", 100_00, 0, 100_00)
    assert summed_up(taken_back) == ("CN-2026-000001", -100_00, 0, -100_00)
    assert summed_up(corrected) == ("INV-2026-000002", 100_00, 20_00, 120_00)
    assert taken_back.corrects_number == corrected.corrects_number == "INV-2026-000001"
    assert (corrected.paid_before_minor, corrected.due_minor) == (100_00, 20_00)
    (owed,) = world.rows(Receivable)
    assert (owed.invoice_id, owed.amount_minor, owed.status) == (corrected.id, 20_00, "open")
    assert world.charged(eva) == [100_00]
    assert nothing_differs(world)


@pytest.mark.parametrize("language", Language)
def test_what_takes_back_a_document_on_an_invalid_number_has_no_note_of_a_reverse_charge(
    world: World, language: Language
) -> None:
    """The note names article 196, in every language."""
    _, order = during_outage(world, language=language)
    turns_out_invalid(world)
    issued = documents(world, order.id)
    assert ["196" in text_of(pdf(world, each)) for each in issued] == [True, False, False]
    assert ["196" in html(world, each) for each in issued] == [True, False, False]


@pytest.mark.parametrize(("country", "postcode"), [("HU", None), ("US", None), ("ES", "35001")])
def test_vat_is_that_of_the_country_where_it_was_sold_wherever_the_customer_has_moved_since(
    world: World, country: str, postcode: str | None
) -> None:
    eva, order = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    world.change_account(eva, country=country, postcode=postcode, vat_number=None)
    ask_again(world)
    corrected = documents(world, order.id)[-1]
    assert summed_up(corrected)[1:] == (100_00, 20_00, 120_00)
    assert (corrected.buyer["country"], corrected.buyer["postcode"]) == ("AT", None)


def test_a_number_set_aside_is_asked_about_though_the_account_has_lost_it_since(world: World) -> None:
    world.policy(vat_outage=VatOutage.CHARGE_VAT)
    eva = world.customer(card="pm_card_authenticationRequired", country="AT", vat_number=NUMBER)
    world.vies.fail("MS_UNAVAILABLE")
    order_id = world.buy(eva, purchase()).id
    world.confirm(order_id)
    assert world.run(order_id).status is OrderStatus.AWAITING_AUTHENTICATION
    world.change_account(eva, vat_number=None)
    world.authenticate(order_id)
    world.notify(world.charge_ref(order_id))
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert [row.number for row in world.rows(VatFollowUp)] == [NUMBER]


def test_the_customer_is_told_once_with_both_documents(world: World) -> None:
    eva, order = during_outage(world)
    turns_out_invalid(world)
    ask_again(world, minutes=2000)
    assert world.mails(eva)[2:] == [f"VAT is due on order {order.number}"]
    files = attached(world, eva, "VAT is due")
    assert [name for name, _ in files] == ["CN-2026-000001.pdf", "INV-2026-000002.pdf"]
    said = text_of(files[1][1])
    assert "Replaces INV-2026-000001" in said
    assert "VIES does not recognise the VAT number on which INV-2026-000001 was based, so VAT is charged." in said
    assert "Corrects" not in said
    assert "This document" not in said
    assert "Paid already −€100.00" in said
    assert "Please pay €20.00 by" in said
    assert NUMBER not in said


def test_vat_that_is_charged_after_all_is_that_of_the_day_where_the_buyer_was(world: World) -> None:
    world.time = datetime(2025, 6, 30, 21, 30, tzinfo=UTC)
    _, order = during_outage(world, country="EE", vat_number="EE100931558")
    world.vies.register("EE100931558", status="invalid")
    ask_again(world)
    assert summed_up(documents(world, order.id)[-1])[1:] == (100_00, 24_00, 124_00)


def test_a_later_change_credits_the_vat_that_was_charged_after_all(world: World) -> None:
    eva, _ = during_outage(world)
    turns_out_invalid(world)
    (period,) = world.rows(SubscriptionPeriod)
    assert (period.tax_minor, period.tax_rate, period.tax_treatment) == (20_00, Decimal(20), "destination_rate")
    world.pass_time(days=15)
    later = world.buy(eva, change("desk", seats=20))
    (line,) = later.lines
    assert (line.unused_minor, line.unused_tax_minor) == (49_99, 10_00)
    assert nothing_differs(world)


def test_a_change_whose_credit_bore_vat_owes_the_vat_on_its_own_charge_whole(world: World) -> None:
    """Bought without a number, for 100.00 and 20.00 of VAT; changed on a number, which turns out invalid."""
    world.policy(vat_outage=VatOutage.PROVISIONAL)
    eva = world.customer(country="AT", vat_number=None)
    world.buy(eva, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    world.change_account(eva, vat_number=NUMBER)
    world.vies.fail("MS_UNAVAILABLE")
    changed = world.buy(eva, change("desk", seats=20))
    world.vies.http.delete("/_control/faults").raise_for_status()
    assert (changed.net_minor, changed.tax_minor, changed.vat_provisional) == (150_00, -10_00, True)
    turns_out_invalid(world)
    *_, taken_back, corrected = documents(world, changed.id)
    assert summed_up(taken_back)[1:] == (-150_00, 10_00, -140_00)
    assert summed_up(corrected)[1:] == (150_00, 30_00, 180_00)
    assert (corrected.paid_before_minor, corrected.due_minor) == (140_00, 40_00)
    assert nothing_differs(world)


def corrected_after_a_change(world: World, **account: Any) -> Order:
    """Half of its 100.00 was credited by a change before the number turned out invalid."""
    eva, order = during_outage(world, **account)
    with world.begin() as session:
        session.execute(text("update vat_follow_ups set next_at = next_at + interval '20 days'"))
    world.pass_time(days=15)
    world.buy(eva, change("desk", seats=20))
    world.vies.register(NUMBER, status="invalid")
    ask_again(world, minutes=60 * 24 * 6)
    return order


def test_where_a_change_came_first_vat_is_due_on_what_was_used(world: World) -> None:
    order = corrected_after_a_change(world)
    _, _, corrected = documents(world, order.id)
    assert summed_up(corrected)[1:] == (100_00, 10_00, 110_00)
    assert "VAT on €50.00: the rest was credited later" in text_of(pdf(world, corrected))
    assert nothing_differs(world)


def test_where_a_change_has_credited_the_whole_charge_no_vat_is_owed_on_it(world: World) -> None:
    eva, order = during_outage(world)
    world.buy(eva, change("desk", interval=Interval.YEAR))
    turns_out_invalid(world)
    assert follow_up(world, order).outcome == "confirmed"
    assert len(documents(world, order.id)) == 1
    assert world.rows(Receivable) == []
    assert nothing_differs(world)


@pytest.mark.parametrize(
    ("language", "vat_on", "no_vat_on"),
    [
        (Language.EN, "VAT 20% on €50.00", "No VAT on €50.00: credited later"),
        (Language.DE, "USt. 20 % auf 50,00 €", "Keine USt. auf 50,00 €: später gutgeschrieben"),
        (Language.ES, "IVA 20 % sobre 50,00 €", "Sin IVA sobre 50,00 €: importe abonado más tarde"),
        (Language.FR, "TVA 20 % sur 50,00 €", "Aucune TVA sur 50,00 € : montant crédité plus tard"),
        (Language.IT, "IVA 20% su 50,00 €", "Nessuna IVA su 50,00 €: importo accreditato in seguito"),
    ],
)
def test_the_sums_by_rate_name_what_the_vat_is_of_and_apart_from_it_the_rest(
    world: World, language: Language, vat_on: str, no_vat_on: str
) -> None:
    """Directive 2006/112/EC, article 226 (8): the taxable amount per rate."""
    corrected = documents(world, corrected_after_a_change(world, language=language).id)[-1]
    for said in (text_of(pdf(world, corrected)), unescape(html(world, corrected))):
        words = " ".join(said.split())
        assert vat_on in words
        assert no_vat_on in words


def test_the_credit_note_that_takes_such_a_document_back_has_the_same_sums_negatively(world: World) -> None:
    order = corrected_after_a_change(world)
    with world.begin() as session:
        credit = invoicing.issue_credit_note(session, session.get_one(Order, order.id, with_for_update=True))
    assert credit is not None
    said = text_of(pdf(world, credit))
    assert "Net total −€100.00 VAT 20% on −€50.00 −€10.00 No VAT on −€50.00: credited later €0.00 VAT −€10.00" in said
    assert "VAT on −€50.00: the rest was credited later" in said


def test_an_invoiced_order_owes_the_corrected_sum_instead_of_the_first(world: World) -> None:
    world.policy(invoice_on_vat=True)
    _, order = during_outage(world, card=None)
    turns_out_invalid(world)
    first, _, corrected = documents(world, order.id)
    owed = {row.invoice_id: (row.amount_minor, row.status.value) for row in world.rows(Receivable)}
    assert owed == {first.id: (100_00, "cancelled"), corrected.id: (120_00, "open")}
    assert nothing_differs(world)


def test_what_balance_paid_is_not_owed_on_the_corrected_invoice(world: World) -> None:
    world.policy(vat_outage=VatOutage.PROVISIONAL)
    eva = world.customer(country="AT", vat_number=NUMBER)
    world.grant(eva, 19_00)
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(eva, purchase("desk", seats=10))
    world.vies.http.delete("/_control/faults").raise_for_status()
    turns_out_invalid(world)
    corrected = documents(world, order.id)[-1]
    assert (corrected.total_minor, corrected.balance_used_minor, corrected.paid_before_minor) == (120_00, 19_00, 81_00)
    (owed,) = world.rows(Receivable)
    assert (owed.invoice_id, owed.amount_minor, corrected.due_minor) == (corrected.id, 20_00, 20_00)
    assert nothing_differs(world)


def corrected_credit_note(world: World, **account: Any) -> tuple[Customer, Order]:
    """An order that gave more than it took, on a number that turned out invalid."""
    eva = world.customer(country="AT", vat_number=NUMBER, **account)
    world.buy(eva, purchase("desk", seats=50, interval=Interval.YEAR))
    world.pass_time(days=3)
    world.policy(vat_evidence_lifetime=timedelta(0))
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(eva, change("desk", seats=5))
    world.vies.http.delete("/_control/faults").raise_for_status()
    turns_out_invalid(world)
    return eva, order


def test_a_credit_note_that_is_replaced_takes_its_number_before_the_invoice_that_takes_it_back(world: World) -> None:
    """As everybody does: two corrections at once would wait for each other's numbers otherwise."""
    _, order = corrected_credit_note(world)
    credit, replacement, taken_back = documents(world, order.id)
    assert [d.number for d in (credit, replacement, taken_back)] == [
        "CN-2026-000001", "CN-2026-000002", "INV-2026-000002",
    ]  # fmt: skip
    assert (replacement.reason, replacement.sign, taken_back.sign) == ("vat_number_invalid", 1, -1)
    assert (credit.total_minor, credit.to_balance_minor, credit.due_minor) == (-4458_90, 4458_90, 0)
    assert (replacement.total_minor, replacement.to_balance_minor, replacement.due_minor) == (-4358_90, 4458_90, 100_00)
    assert nothing_differs(world)


@pytest.mark.parametrize(
    ("language", "corrects", "replaces"),
    [
        (Language.EN, "Corrects", "Replaces"),
        (Language.DE, "Korrigiert", "Ersetzt"),
        (Language.ES, "Rectifica", "Sustituye a"),
        (Language.FR, "Rectifie", "Remplace"),
        (Language.IT, "Rettifica", "Sostituisce"),
    ],
)
def test_an_invoice_that_takes_a_credit_note_back_corrects_it_and_does_not_replace_it(
    world: World, language: Language, corrects: str, replaces: str
) -> None:
    _, order = corrected_credit_note(world, language=language)
    taken_back = documents(world, order.id)[-1]
    assert (taken_back.kind, taken_back.sign) == ("invoice", -1)
    said = text_of(pdf(world, taken_back))
    assert f"{corrects} CN-2026-000001" in said
    assert f"{replaces} CN-2026-000001" not in said


@pytest.mark.parametrize("correct", [corrected_invoice, corrected_credit_note])
def test_the_letter_says_by_when_the_vat_is_to_be_paid(
    world: World, correct: Callable[[World], tuple[Customer, Order]]
) -> None:
    eva, _ = correct(world)
    [owed] = world.rows(Receivable)
    assert owed.due_at == world.time + timedelta(days=30)
    [mail] = world.mailbox.listed(f'to:{eva.email} subject:"VAT is due"')
    said = " ".join(world.mailbox.read(mail["ID"])["Text"].split())
    assert f"Payable by {owed.due_at.day} December 2026" in said


def test_while_the_registry_is_away_it_is_asked_less_and_less_often(world: World) -> None:
    _, order = during_outage(world)
    world.vies.fail("MS_UNAVAILABLE")
    waits = []
    for _ in range(7):
        world.time = follow_up(world, order).next_at
        assert vat_follow_up() == 1
        assert vat_follow_up() == 0
        waits.append((follow_up(world, order).next_at - world.time).total_seconds() / 60)
    assert waits == [15, 60, 240, 720, 1440, 1440, 1440]
    assert follow_up(world, order).outcome is None


def test_a_crash_after_the_answer_corrects_once(world: World) -> None:
    eva, order = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    with dying_at("vat_follow_up.answered"):
        ask_again(world)
    assert len(documents(world, order.id)) == 1
    ask_again(world, minutes=20)
    assert len(documents(world, order.id)) == 3
    assert len(world.mails(eva)) == 3


def test_a_letter_that_could_not_be_sent_is_sent_later_and_corrects_nothing_again(world: World) -> None:
    eva, order = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    world.mailbox.fail("greylisted", recipient="*@customer.example")
    ask_again(world)
    assert follow_up(world, order).letter_owed
    world.mailbox.heal()
    ask_again(world, minutes=20)
    assert not follow_up(world, order).letter_owed
    assert len(world.mails(eva)) == 3
    assert len(documents(world, order.id)) == 3


def test_vat_that_was_paid_by_transfer_becomes_balance_when_the_order_is_refunded(world: World) -> None:
    eva, order = during_outage(world)
    turns_out_invalid(world)
    with world.begin() as session:
        receivables.mark_paid(session, documents(world, order.id)[-1].number, on=world.time, by="ops")
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)
    assert world.run(order.id).status is OrderStatus.REFUNDED
    assert summed_up(documents(world, order.id)[-1])[1:] == (-100_00, -20_00, -120_00)
    assert (world.given_back(eva), world.balance(eva)) == ([100_00], 20_00)
    assert nothing_differs(world)
    [mail] = world.mailbox.listed(f"to:{eva.email} subject:refunded")
    assert "Paid by transfer, added to your balance" in world.mailbox.read(mail["ID"])["Text"]


def test_vat_paid_by_transfer_that_went_nowhere_is_noticed(world: World) -> None:
    _, order = during_outage(world)
    turns_out_invalid(world)
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)
    world.run(order.id)
    with world.begin() as session:
        session.execute(text("update receivables set status = 'paid'"))
    [found] = books.differences(world)
    assert "what was paid by transfer and became balance" in str(found)


def test_no_vat_is_asked_for_by_a_letter_that_was_held_up_until_the_order_was_refunded(world: World) -> None:
    eva, order = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    world.mailbox.fail("greylisted", recipient="*@customer.example")
    ask_again(world)
    world.mailbox.heal()
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)
    assert world.run(order.id).status is OrderStatus.REFUNDED
    sent = len(world.mails(eva))
    assert (ask_again(world, minutes=20), follow_up(world, order).letter_owed) == (0, False)
    assert len(world.mails(eva)) == sent


def test_nothing_is_corrected_while_another_order_on_the_product_is_at_work(world: World) -> None:
    eva, order = during_outage(world)
    world.pass_time(days=15)
    world.vies.fail("MS_UNAVAILABLE")
    later = world.place(eva, change("desk", seats=20))
    world.run(later, until=Step.ACTIVATE_SUBSCRIPTION)
    world.vies.forget()
    turns_out_invalid(world)
    assert follow_up(world, order).outcome is None
    assert len(world.rows(Invoice)) == 1
    world.run(later)
    assert world.rows(OrderedProduct) == []
    assert ask_again(world, minutes=20) == 2
    assert summed_up(documents(world, order.id)[-1])[1:] == (100_00, 10_00, 110_00)
    assert summed_up(documents(world, later)[-1])[1:] == (150_00, 40_00, 190_00)
    assert nothing_differs(world)


def test_an_order_of_two_products_waits_for_either_and_keeps_others_off_neither_meanwhile(world: World) -> None:
    world.policy(vat_outage=VatOutage.PROVISIONAL)
    eva = world.customer(country="AT", vat_number=NUMBER)
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(eva, purchase("desk"), purchase("chat"))
    later = world.place(eva, change("desk", seats=20))
    world.run(later, until=Step.ACTIVATE_SUBSCRIPTION)
    world.vies.forget()
    world.vies.register(NUMBER, status="invalid")
    assert ask_again(world) == 1
    assert (follow_up(world, order).outcome, len(world.rows(Invoice))) == (None, 1)
    assert [(claim.product_code, claim.order_id) for claim in world.rows(OrderedProduct)] == [("desk", later)]
    world.run(later)
    ask_again(world, minutes=20)
    assert (follow_up(world, order).outcome, world.rows(OrderedProduct)) == ("vat_charged", [])
    assert nothing_differs(world)


def test_an_order_whose_letters_wait_is_not_corrected_yet_and_keeps_other_orders_off_its_product(world: World) -> None:
    """What it bought is active, and it is still open: the mail server is away, say."""
    world.policy(vat_outage=VatOutage.PROVISIONAL)
    eva = world.customer(country="AT", vat_number=NUMBER)
    world.vies.fail("MS_UNAVAILABLE")
    order_id = world.place(eva, purchase("desk", "team", seats=10))
    order = world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    world.vies.forget()
    world.vies.register(NUMBER, status="invalid")
    assert ask_again(world) == 1
    assert [(claim.product_code, claim.order_id) for claim in world.rows(OrderedProduct)] == [("desk", order_id)]
    with pytest.raises(RequestRefused) as refused:
        world.place(eva, change("desk", seats=20))
    assert refused.value.code == "open-order"
    assert (follow_up(world, order).outcome, len(documents(world, order_id))) == (None, 1)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    ask_again(world, minutes=20)
    assert (follow_up(world, order).outcome, world.rows(OrderedProduct)) == ("vat_charged", [])
    assert nothing_differs(world)


@pytest.mark.parametrize(
    ("choice", "answer", "outcome", "vat"),
    [
        (VatOutage.PROVISIONAL, "invalid", "vat_charged", 20_00),
        (VatOutage.CHARGE_VAT, "valid", "vat_credited", -20_00),
    ],
)
def test_a_trial_in_an_order_that_is_corrected_costs_and_brings_nothing(
    world: World, choice: VatOutage, answer: str, outcome: str, vat: int
) -> None:
    world.policy(vat_outage=choice)
    eva = world.customer(country="AT", vat_number=NUMBER)
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(eva, trial("chat"), purchase("desk", "team", seats=10))
    if order.status is OrderStatus.AWAITING_CONFIRMATION:
        world.confirm(order.id)
        order = world.run(order.id)
    world.vies.forget()
    world.vies.register(NUMBER, status=answer)
    ask_again(world)
    assert (order.status, follow_up(world, order).outcome) == (OrderStatus.COMPLETED, outcome)
    with world.begin() as session:
        lines = invoices.lines_of(session, documents(world, order.id)[-1])
    assert [(line.product_code, line.tax_minor) for line in lines] == [("chat", 0), ("desk", vat)]
    assert nothing_differs(world)


def test_an_order_that_was_refunded_is_not_corrected(world: World) -> None:
    _, order = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    with world.begin() as session:
        session.execute(text("update orders set status = 'refunded'"))
    ask_again(world)
    assert follow_up(world, order).outcome == "order_ended"
