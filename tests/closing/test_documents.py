"""Documents by levy add up to themselves, to the returns of each state, and to nothing where nothing was sold in the end."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import event, text
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from models.accounts import VatCheck, VatCheckStatus
from models.invoices import Invoice, InvoiceReason
from models.payments import ChargeAttempt
from models.rules.period import Interval
from models.rules.proration import Granularity
from models.rules.vat import Treatment
from models.states import OrderStatus
from tasks.billing import receivables, unpaid
from tasks.closing.documents import Day, DocumentLevy, levies
from tasks.closing.sums import summed_up
from tasks.operating import outside_refunds, support_refund
from tasks.policy import VatOutage
from tests.steps.test_changes_of_refunded_periods import goes_back, half_is_over
from tests.support.command import SETTINGS, prorata_at_a_terminal, prorata_at_a_terminal_into
from tests.support.payment import DECLINES, refund
from tests.support.vat_outage import NUMBER, ask_again, corrected_invoice, during_outage, turns_out_invalid
from tests.support.world import World, change, purchase, trial
from worker.commands import documents as command

FIRST, LAST = date(2026, 1, 1), date(2028, 12, 31)

pytestmark = pytest.mark.usefixtures("plugged_in")


def run(*words: str) -> Result:
    app = typer.Typer()
    app.add_typer(command.documents, name="documents")  # alone it would have no words for its only command
    return CliRunner().invoke(app, ["documents", "list", *words])


def listed(world: World, first: date = FIRST, last: date = LAST, *, by: Day = Day.ISSUED) -> list[DocumentLevy]:
    with world.begin() as session:
        return list(levies(session, first, last, by=by, seller=world.wiring.policy.seller))


def taxed(found: Sequence[DocumentLevy]) -> list[tuple[Any, ...]]:
    return [
        (each.number, each.tax_country, each.treatment, f"{each.rate.normalize():f}", each.net_minor, each.vat_minor)
        for each in found
    ]


def assert_each_document_is_the_sum_of_its_rows(world: World) -> None:
    sums: dict[str, tuple[int, int]] = {}
    for each in listed(world):
        net, tax = sums.get(each.number, (0, 0))
        sums[each.number] = net + each.net_minor, tax + each.vat_minor
    assert sums == {each.number: (each.net_minor, each.tax_minor) for each in world.rows(Invoice)}


def test_what_a_change_credits_belongs_to_the_country_and_rate_that_charged_it(world: World) -> None:
    ada = world.customer(country="AT")
    first = world.buy(ada, purchase("desk", seats=10))
    world.pass_time(days=15)
    world.change_account(ada, country="FR")
    second = world.buy(ada, change("desk", seats=20), trial("chat"))
    assert taxed(listed(world)) == [
        ("INV-2026-000001", "AT", "destination_rate", "20", 100_00, 20_00),
        ("INV-2026-000002", "FR", "destination_rate", "20", 200_00, 40_00),
        ("INV-2026-000002", "AT", "destination_rate", "20", -50_00, -10_00),
    ]
    assert [each.order_number for each in listed(world)] == [str(first.number)] + [str(second.number)] * 2
    assert_each_document_is_the_sum_of_its_rows(world)


def test_domestic_vat_is_that_of_the_sellers_country(world: World) -> None:
    world.buy(world.customer(country="DE"), purchase())
    [row] = listed(world)
    assert (row.tax_country, row.treatment, row.seller_country) == ("DE", "domestic", "DE")


def test_a_refund_takes_domestic_vat_back_where_it_was_charged_though_the_seller_has_moved(world: World) -> None:
    order = world.buy(world.customer(country="DE"), purchase())
    world.policy(seller=replace(world.wiring.policy.seller, country="AT", vat_number=NUMBER))
    refund(world, order.id)
    assert taxed(listed(world)) == [
        ("CN-2026-000001", "DE", "domestic", "19", -100_00, -19_00),
        ("INV-2026-000001", "DE", "domestic", "19", 100_00, 19_00),
    ]
    assert [each.seller_country for each in listed(world)] == ["DE", "DE"]


def test_a_change_credits_domestic_vat_where_it_was_charged_though_the_seller_has_moved(world: World) -> None:
    ada = world.customer(country="DE")
    world.buy(ada, purchase("desk", seats=10))
    world.policy(seller=replace(world.wiring.policy.seller, country="AT", vat_number=NUMBER))
    world.pass_time(days=15)
    world.buy(ada, change("desk", seats=20))
    found = listed(world)
    assert taxed(found) == [
        ("INV-2026-000001", "DE", "domestic", "19", 100_00, 19_00),
        ("INV-2026-000002", "DE", "destination_rate", "19", 200_00, 38_00),
        ("INV-2026-000002", "DE", "domestic", "19", -50_00, -9_50),
    ]
    assert [each.seller_country for each in found] == ["DE", "AT", "DE"]


def test_a_state_levies_its_vat_in_monaco_too(world: World) -> None:
    world.buy(world.customer(country="MC"), purchase())
    [row] = listed(world)
    assert (row.tax_country, row.treatment, row.vat_minor) == ("FR", "destination_rate", 20_00)


def test_a_document_of_nothing_has_one_row(world: World) -> None:
    world.reprice("desk", "team", Interval.MONTH, 0)
    world.buy(world.customer(), purchase("desk", "team"))
    assert taxed(listed(world)) == [("INV-2026-000001", "DE", "domestic", "19", 0, 0)]


def test_a_charge_and_a_credit_that_cancel_out_are_two_rows(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", seats=10))
    world.reprice("desk", "business", Interval.MONTH, 10_00)
    world.buy(ada, change("desk", tier="business"))
    assert taxed(listed(world))[1:] == [
        ("INV-2026-000002", "DE", "domestic", "19", 100_00, 19_00),
        ("INV-2026-000002", "DE", "domestic", "19", -100_00, -19_00),
    ]


def test_an_order_s_credit_note_names_what_charged_its_credits(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", seats=10))
    world.pass_time(days=15)
    world.buy(ada, change("desk", seats=1))
    sold, charge, credit = listed(world)
    assert (sold.corrects, credit.number, credit.corrects) == (None, "CN-2026-000001", "INV-2026-000001")
    assert [(each.amends, each.net_minor, each.vat_minor) for each in (charge, credit)] == [
        (None, 10_00, 1_90),
        ("INV-2026-000001", -50_00, -9_50),
    ]
    assert (charge.document_total_minor, credit.document_total_minor) == (-47_60, -47_60)


def test_a_refund_is_dated_when_it_was_made_and_names_the_charge_that_went_back(world: World) -> None:
    order = world.buy(world.customer(), purchase())
    world.pass_time(days=40)
    refund(world, order.id)
    [charge] = world.rows(ChargeAttempt)
    found = listed(world)
    assert [(each.number, each.reason, each.issued_on, each.supplied_on) for each in found] == [
        ("INV-2026-000001", "order", date(2026, 11, 1), date(2026, 11, 1)),
        ("CN-2026-000001", "refund", date(2026, 12, 11), date(2026, 11, 1)),
    ]
    assert [(each.charged_minor, each.charge_ref) for each in found] == [(119_00, charge.ref), (-119_00, charge.ref)]
    november = date(2026, 11, 1), date(2026, 11, 30)
    assert [each.number for each in listed(world, *november)] == ["INV-2026-000001"]
    assert len(listed(world, *november, by=Day.SUPPLIED)) == 2
    assert_each_document_is_the_sum_of_its_rows(world)


def test_a_document_is_listed_once_however_often_a_card_was_refused_before(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order_id = world.buy(ada, purchase()).id
    world.give_card(ada)
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    [taken] = world.rows(ChargeAttempt, attempt=2)
    assert [(each.number, each.charged_minor, each.charge_ref) for each in listed(world)] == [
        ("INV-2026-000001", 119_00, taken.ref)
    ]


def test_a_refund_by_other_means_names_the_sum_and_no_charge(world: World) -> None:
    order = world.buy(world.customer(), purchase())
    with world.begin() as session:
        support_refund.refund(session, order.id, by="support", why="asked for", now=world.time)
    world.park(order.id)
    outside_refunds.settle(order.id, by="support", why="bank transfer")
    assert world.run(order.id).status is OrderStatus.REFUNDED
    [charge] = world.rows(ChargeAttempt)
    assert [(each.number, each.charged_minor, each.charge_ref) for each in listed(world)] == [
        ("CN-2026-000001", -119_00, None),
        ("INV-2026-000001", 119_00, charge.ref),
    ]


def test_what_corrects_a_document_names_no_charge(world: World) -> None:
    corrected_invoice(world)
    [charge] = world.rows(ChargeAttempt)
    assert [(each.number, each.charged_minor, each.charge_ref) for each in listed(world)] == [
        ("CN-2026-000001", None, None),
        ("INV-2026-000001", 100_00, charge.ref),
        ("INV-2026-000002", None, None),
    ]


def test_what_is_owed_by_transfer_is_told_until_it_is_settled_and_after(world: World) -> None:
    world.policy(invoice_on_vat=True)
    world.buy(world.customer(card=None, vat_number="DE136695976"), purchase())
    [row] = listed(world)
    assert (row.owed_minor, row.owed_status, row.settled_on, row.charge_ref) == (119_00, "open", None, None)
    world.pass_time(days=3)
    with world.begin() as session:
        receivables.mark_paid(session, row.number, on=world.time, by="ops")
    [row] = listed(world)
    assert (row.owed_minor, row.owed_status, row.settled_on) == (119_00, "paid", date(2026, 11, 4))
    with world.begin() as session:
        unpaid.mark_unpaid(session, row.number, on=world.time, by="ops", why="called back")
    [row] = listed(world)
    assert (row.owed_minor, row.owed_status, row.settled_on) == (119_00, "open", None)


def reverse_charge(world: World) -> list[tuple[str | None, int]]:
    """Of the recapitulative statement: what was sold to each VAT number."""
    sums = summed_up(listed(world), by_vat_number=True)
    return [(each.vat_number, each.net_minor) for each in sums if each.treatment == "reverse_charge"]


def test_a_number_that_turns_out_invalid_leaves_the_recapitulative_statement(world: World) -> None:
    during_outage(world)
    assert reverse_charge(world) == [(NUMBER, 100_00)]
    turns_out_invalid(world)
    assert taxed(listed(world)) == [
        ("CN-2026-000001", "AT", "reverse_charge", "0", -100_00, 0),
        ("INV-2026-000001", "AT", "reverse_charge", "0", 100_00, 0),
        ("INV-2026-000002", "AT", "destination_rate", "20", 100_00, 20_00),
    ]
    assert reverse_charge(world) == [(NUMBER, 0)]
    assert_each_document_is_the_sum_of_its_rows(world)


def test_what_a_change_credited_before_its_number_turned_out_invalid_leaves_the_statement_too(world: World) -> None:
    """The change credited 50.00 under the reverse charge; the corrected invoice says that 50.00 were credited later."""
    eva, _ = during_outage(world)
    world.pass_time(days=15)
    world.change_account(eva, vat_number="ATU66664013")
    world.vies.register("ATU66664013", status="valid")
    world.buy(eva, change("desk", seats=20))
    assert reverse_charge(world) == [(NUMBER, 50_00), ("ATU66664013", 200_00)]
    world.vies.register(NUMBER, status="invalid")
    ask_again(world, minutes=60 * 24 * 6)
    assert reverse_charge(world) == [(NUMBER, 0), ("ATU66664013", 200_00)]
    [corrected] = [
        each for each in taxed(listed(world)) if each[0] == "INV-2026-000003" and each[2] != "reverse_charge"
    ]
    assert corrected[1:] == ("AT", "destination_rate", "20", 50_00, 10_00)
    assert_each_document_is_the_sum_of_its_rows(world)


def test_vat_that_is_given_back_enters_the_recapitulative_statement_under_the_number(world: World) -> None:
    eva, _ = during_outage(world, VatOutage.CHARGE_VAT)
    ask_again(world)
    assert reverse_charge(world) == [(NUMBER, 100_00)]
    world.pass_time(days=15)
    world.buy(eva, change("desk", seats=1))
    assert reverse_charge(world) == [(NUMBER, 60_01)]
    assert_each_document_is_the_sum_of_its_rows(world)


def test_vat_that_is_given_back_leaves_the_sums_of_what_was_sold_without_a_number(world: World) -> None:
    during_outage(world, VatOutage.CHARGE_VAT)
    ask_again(world)
    sums = summed_up(listed(world), by_vat_number=True)
    assert [(each.treatment, each.vat_number, each.net_minor, each.vat_minor) for each in sums] == [
        ("destination_rate", None, 0, 0),
        ("reverse_charge", NUMBER, 100_00, 0),
    ]


def receipts(world: World) -> list[tuple[Any, ...]]:
    return [
        (each.number, each.vies_number, each.vies_answer, each.vies_asked_at, each.vies_consultation_number)
        for each in listed(world)
    ]


def test_a_sale_without_vat_has_the_receipt_of_vies_also_where_an_earlier_answer_still_counted(world: World) -> None:
    eva = world.customer(country="AT", vat_number=NUMBER)
    world.buy(eva, purchase("desk"))
    world.buy(eva, purchase("chat"))
    world.buy(world.customer(country="AT"), purchase("desk"))
    [check] = world.rows(VatCheck)
    receipt = (NUMBER, "valid", check.asked_at, check.consultation_number)
    assert receipts(world) == [
        ("INV-2026-000001", *receipt),
        ("INV-2026-000002", *receipt),
        ("INV-2026-000003", None, None, None, None),
    ]
    [_, read, _, _] = csv.reader(io.StringIO(run("--from", "2026-11-01", "--to", "2026-11-30", "--csv").stdout))
    asked_at = check.asked_at.isoformat(timespec="microseconds")
    assert read[-4:] == [NUMBER, "valid", asked_at, check.consultation_number]


def test_the_answer_that_came_late_stands_at_all_documents_of_its_order(world: World) -> None:
    during_outage(world)
    assert [each[2] for each in receipts(world)] == ["unavailable"]
    turns_out_invalid(world)
    assert [each[:3] for each in receipts(world)] == [
        ("CN-2026-000001", NUMBER, "invalid"),
        ("INV-2026-000001", NUMBER, "invalid"),
        ("INV-2026-000002", NUMBER, "invalid"),
    ]


def test_vat_that_is_given_back_has_the_receipt_too(world: World) -> None:
    during_outage(world, VatOutage.CHARGE_VAT)
    ask_again(world)
    assert {each[1:3] for each in receipts(world)} == {(NUMBER, "valid")}


def test_a_vat_number_is_summed_up_under_the_name_on_its_latest_document(world: World) -> None:
    eva = world.customer(country="AT", vat_number=NUMBER, name="Eva")
    world.buy(eva, purchase("desk"))
    world.change_account(eva, name="Eva & Sons")
    world.buy(eva, purchase("chat"))
    [number] = summed_up(listed(world), by_vat_number=True)
    assert (number.vat_number, number.buyer, number.net_minor) == (NUMBER, "Eva & Sons", 200_00)


def test_the_sums_are_those_of_a_return(world: World) -> None:
    world.buy(world.customer(country="DE"), purchase())
    world.buy(world.customer(country="DE"), purchase("desk", seats=1))
    world.buy(world.customer(country="FI"), purchase())
    world.buy(world.customer(country="US", currency="USD"), purchase())
    told = json.loads(run("--from", "2026-11-01", "--to", "2026-11-30", "--sum", "--json").stdout)
    keys = ("tax_country", "treatment", "rate", "currency", "net_minor", "vat_minor")
    assert [tuple(each) for each in told] == [keys] * 3
    assert [tuple(each.values()) for each in told] == [
        ("FI", "destination_rate", "25.5", "EUR", 100_00, 25_50),
        ("DE", "domestic", "19", "EUR", 110_00, 20_90),
        ("US", "out_of_scope", "0", "USD", 100_00, 0),
    ]


def test_a_program_reads_every_column_and_a_spreadsheet_the_same(world: World) -> None:
    world.buy(world.customer(name="=cmd|'/c calc'!A0"), purchase())
    [charge] = world.rows(ChargeAttempt)
    [told] = json.loads(run("--from", "2026-11-01", "--to", "2026-11-01", "--json").stdout)
    [read] = csv.DictReader(io.StringIO(run("--from", "2026-11-01", "--to", "2026-11-01", "--csv").stdout))
    assert list(told) == [name for name in read if name in told]
    assert set(read) - set(told) == {"net", "vat", "document_total", "owed", "charged"}
    assert (read["net"], read["vat"], read["document_total"], read["owed"]) == ("100.00", "19.00", "119.00", "")
    assert (told["number"], told["issued_on"], told["rate"]) == ("INV-2026-000001", "2026-11-01", "19")
    assert (told["net_minor"], told["vat_minor"], told["charge_ref"]) == (100_00, 19_00, charge.ref)
    assert (read["net_minor"], read["vat_minor"], read["owed_minor"]) == ("10000", "1900", "")
    assert (told["buyer"], read["buyer"]) == ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0")


def test_a_person_reads_money_as_people_write_it(world: World) -> None:
    world.buy(world.customer(country="AT", vat_number=NUMBER, name="Eva [red]"), purchase())
    seen = run("--from", "2026-11-01", "--to", "2026-11-30").stdout
    assert "INV-2026-000001" in seen
    assert "100.00  0.00  EUR" in seen
    assert "Eva [red]" in seen
    sums = run("--from", "2026-11-01", "--to", "2026-11-30", "--sum", "--by-vat-number").stdout
    assert [line.split() for line in sums.splitlines()] == [
        ["country", "treatment", "rate", "VAT", "number", "buyer", "net", "VAT"],
        ["AT", "reverse_charge", "0", NUMBER, "Eva", "[red]", "100.00", "0.00", "EUR"],
    ]
    assert run("--from", "2026-12-01", "--to", "2026-12-31").stdout == (
        "No such document was issued from 2026-12-01 to 2026-12-31.\n"
    )


def test_only_those_with_a_reason_are_listed_where_one_is_given(world: World) -> None:
    during_outage(world)
    turns_out_invalid(world)
    words = ("--from", "2026-11-01", "--to", "2026-11-30", "--json")
    told = json.loads(run(*words, "--by", "supplied", "--reason", "vat_number_invalid").stdout)
    assert [each["number"] for each in told] == ["CN-2026-000001", "INV-2026-000002"]
    assert json.loads(run(*words, "--reason", "refund").stdout) == []


NOVEMBER, DECEMBER = (date(2026, 11, 1), date(2026, 11, 30)), (date(2026, 12, 1), date(2026, 12, 31))


def assert_a_correction_is_declared_with(
    world: World, month: tuple[date, date], number: str, *, vat_minor: int, not_in: tuple[date, date]
) -> None:
    """The next morning the registry says that the number of the only order is invalid."""
    world.vies.http.delete("/_control/faults").raise_for_status()
    world.vies.register(number, status="invalid")
    world.time = datetime(2026, 12, 1, 8, tzinfo=UTC)
    ask_again(world)
    found = listed(world, *month, by=Day.DECLARED)
    assert {each.number for each in found} == {"INV-2026-000001", "CN-2026-000001", "INV-2026-000002"}
    assert {each.declared_on for each in found} == {month[0] if month is DECEMBER else month[1]}
    assert [(each.treatment, each.net_minor, each.vat_minor) for each in summed_up(found)] == [
        ("destination_rate", 100_00, vat_minor),
        ("reverse_charge", 0, 0),
    ]
    assert listed(world, *not_in, by=Day.DECLARED) == []


def test_a_correction_is_declared_with_what_it_corrects_though_the_buyer_s_day_was_another(world: World) -> None:
    """Issued at 23:30 on 30 November in Berlin, when it was 1 December in Helsinki."""
    world.time = datetime(2026, 11, 30, 22, 30, tzinfo=UTC)
    world.vies.fail("MS_UNAVAILABLE")
    world.buy(world.customer(country="FI", vat_number="FI20774740"), purchase())
    assert_a_correction_is_declared_with(world, NOVEMBER, "FI20774740", vat_minor=25_50, not_in=DECEMBER)


def test_a_correction_is_declared_with_what_it_corrects_though_that_was_supplied_the_month_before(world: World) -> None:
    """Quoted on 30 November, and issued on 1 December, once its payment was authenticated."""
    world.time = datetime(2026, 11, 30, 22, 50, tzinfo=UTC)
    world.vies.fail("MS_UNAVAILABLE")
    eva = world.customer(country="AT", vat_number=NUMBER, card="pm_card_threeDSecure2Required")
    order_id = world.place(eva, purchase())
    assert world.run(order_id).status is OrderStatus.AWAITING_AUTHENTICATION
    world.pass_time(minutes=20)
    world.authenticate(order_id)
    world.notify(world.charge_ref(order_id))
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert_a_correction_is_declared_with(world, DECEMBER, NUMBER, vat_minor=20_00, not_in=NOVEMBER)


def test_all_but_corrections_of_vat_are_declared_with_the_day_of_issue(world: World) -> None:
    order = world.buy(world.customer(), purchase())
    world.pass_time(days=40)
    refund(world, order.id)
    assert [(each.number, each.declared_on) for each in listed(world, by=Day.DECLARED)] == [
        ("INV-2026-000001", date(2026, 11, 1)),
        ("CN-2026-000001", date(2026, 12, 11)),
    ]
    assert [each.number for each in listed(world, *DECEMBER, by=Day.DECLARED)] == ["CN-2026-000001"]


def test_what_is_declared_in_a_month_is_found_by_indexes(world: World) -> None:
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    world.buy(world.customer(), purchase())
    copied = text("""
        insert into invoices select (jsonb_populate_record(original, jsonb_build_object(
            'id', gen_random_uuid(), 'number', original.number || '-' || copy, 'cause', 'copy:' || copy, 'sequence', 1 + copy,
            'issued_on', original.issued_on - 365 - copy
        ))).* from invoices original, generate_series(1, 3000) copy
    """)
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))  # they have no orders, which nobody reads
        session.execute(copied)
        session.execute(text("analyze invoices"))
    with world.begin() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", note)
        assert list(levies(session, *DECEMBER, by=Day.DECLARED, seller=world.wiring.policy.seller)) == []
        event.remove(connection, "before_cursor_execute", note)
        [(asked, known)] = sent
        plan = "\n".join(connection.exec_driver_sql(f"explain {asked}", known).scalars())
    assert set(re.findall(r"Index Scan (?:using|on) (\w+)", plan)) == {
        "ix_invoices_issued_on",
        "ix_invoices_corrects_id",
    }


def test_vat_that_is_credited_is_declared_with_the_document_that_charged_it(world: World) -> None:
    world.time = datetime(2026, 11, 30, 12, tzinfo=UTC)
    during_outage(world, VatOutage.CHARGE_VAT)
    ask_again(world, minutes=24 * 60)
    found = listed(world, *NOVEMBER, by=Day.DECLARED)
    assert [(each.number, each.issued_on, each.declared_on, each.vat_minor) for each in found] == [
        ("INV-2026-000001", date(2026, 11, 30), date(2026, 11, 30), 20_00),
        ("CN-2026-000001", date(2026, 12, 1), date(2026, 11, 30), 0),
        ("CN-2026-000001", date(2026, 12, 1), date(2026, 11, 30), -20_00),
    ]
    assert listed(world, *DECEMBER, by=Day.DECLARED) == []


def test_documents_of_one_day_of_issue_are_held_at_a_time(world: World) -> None:
    for days in (0, 0, 1, 3):
        world.pass_time(days=days)
        world.buy(world.customer(), purchase())
    with world.begin() as session:
        found = levies(session, FIRST, LAST, by=Day.ISSUED, seller=world.wiring.policy.seller)
        held = [
            (each.issued_on.day, sum(isinstance(it, Invoice) for it in session.identity_map.values())) for each in found
        ]
    assert held == [(1, 2), (1, 2), (2, 1), (5, 1)]


@pytest.mark.parametrize("how", [("--csv",), ("--json",), ("--sum", "--csv"), ()])
def test_a_list_is_of_one_moment_and_may_take_longer_than_others_may_say_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, how: Sequence[str]
) -> None:
    """What is bought while it is read is not in it, though that day's documents are still to be read."""
    for days in (0, 1):
        world.pass_time(days=days)
        world.buy(world.customer(), purchase())
    limits = []

    def slowly(session: Session, *which: Any, **how: Any) -> Iterator[DocumentLevy]:
        for each in levies(session, *which, **how):
            world.buy(world.customer(), purchase())
            limits.append(session.scalar(text("show idle_in_transaction_session_timeout")))
            yield each

    monkeypatch.setattr(command, "levies", slowly)
    ended = run("--from", "2026-11-01", "--to", "2026-11-30", *how)
    assert (ended.exit_code, ended.exception, limits) == (0, None, ["10min", "10min"])


@pytest.mark.parametrize("which", ["list", "lines"])
def test_a_person_sees_how_far_a_list_is_that_goes_to_a_file(
    world: World, world_database_url: str, tmp_path: Path, which: str
) -> None:
    world.buy(world.customer(), purchase())
    words = ("documents", which, "--from", "2026-11-01", "--to", "2026-11-30", "--csv")
    chosen = SETTINGS | {"PRORATA_DATABASE_URL": world_database_url}
    seen = prorata_at_a_terminal_into(tmp_path / "november.csv", 100, *words, **chosen)
    assert re.findall(r"reading .* (\d+%)", seen)[-1] == "100%"
    told = prorata_at_a_terminal(100, *words, **chosen)
    assert told == (tmp_path / "november.csv").read_text()
    assert [row["number"] for row in csv.DictReader(io.StringIO(told))] == ["INV-2026-000001"]


def test_days_are_those_of_the_sellers_clock(world: World) -> None:
    world.time = datetime(2026, 11, 30, 23, tzinfo=UTC)  # midnight in Berlin
    world.buy(world.customer(), purchase())
    assert listed(world, date(2026, 11, 1), date(2026, 11, 30)) == []
    [row] = listed(world, date(2026, 12, 1), date(2026, 12, 1))
    assert row.issued_on == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "2026-11-01"), "Missing option '--to'"),
        (("--to", "2026-11-01"), "Missing option '--from'"),
        (("--from", "November", "--to", "2026-11-30"), "must be a day like 2026-11-28"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), "must not be before the first day, 2026-11-02 (--from)"),
        (
            ("--from", "2026-11-01", "--to", "2026-11-30", "--by", "paid"),
            "'paid' is not one of 'issued', 'supplied', 'declared'",
        ),
        (("--from", "2026-11-01", "--to", "2026-11-30", "--reason", "x"), "'x' is not one of 'order', 'refund'"),
        (("--from", "2026-11-01", "--to", "2026-11-30", "--by-vat-number"), "--by-vat-number goes with --sum"),
        (("--from", "2026-11-01", "--to", "2026-11-30", "--json", "--csv"), "choose one: --json or --csv"),
    ],
)
def test_what_cannot_be_listed_is_refused_with_what_can(words: Sequence[str], said: str) -> None:
    refused = run(*words)
    assert refused.exit_code == 2
    assert said in " ".join(refused.output.replace("│", " ").split())


def test_a_document_older_than_its_column_is_supplied_on_its_account_s_day(world: World) -> None:
    world.time = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    world.buy(world.customer(timezone="Europe/Berlin"), purchase())
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))  # past the trigger that freezes documents
        session.execute(text("update invoices set supplied_on = null"))
    assert listed(world, date(2026, 11, 1), date(2026, 11, 30), by=Day.SUPPLIED) == []
    [row] = listed(world, date(2026, 12, 1), date(2026, 12, 1), by=Day.SUPPLIED)
    assert row.supplied_on == date(2026, 12, 1)
    assert listed(world, date.min, date.max, by=Day.SUPPLIED) == [row]


def test_a_credit_of_what_lost_its_vat_without_a_document_has_the_number_that_was_confirmed(world: World) -> None:
    """The invoice with 20 % stays as it is: a person pays the VAT, and the accountant moves the sale."""
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    goes_back(world, order.id, 7_00)
    ask_again(world)
    half_is_over(world, eva)
    world.buy(eva, change("desk", seats=1))
    [sale, *later] = listed(world)
    assert (sale.treatment, sale.vat_number, sale.net_minor, sale.vat_minor) == (
        "destination_rate",
        None,
        100_00,
        20_00,
    )
    assert [(each.treatment, each.amends, each.vat_number, each.net_minor) for each in later] == [
        ("reverse_charge", None, NUMBER, 10_00),
        ("reverse_charge", sale.number, NUMBER, -50_00),
    ]
    assert_each_document_is_the_sum_of_its_rows(world)


@pytest.mark.parametrize(("changed_at", "corrected"), [((1, 3), False), ((16, 15), True)])
def test_what_was_sold_under_an_invalid_number_is_found_by_the_answer_also_without_a_correction(
    world: World, changed_at: tuple[int, int], corrected: bool
) -> None:
    """A month on 30 November, changed under another number on the same day in New York, which is December here, or in mid-December."""
    world.policy(granularity=Granularity.DAY)
    world.time = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
    eva, _ = during_outage(world, timezone="America/New_York")
    world.time = datetime(2026, 12, *changed_at, tzinfo=UTC)
    world.vies.register("ATU66664013", status="valid")
    world.change_account(eva, vat_number="ATU66664013")
    world.buy(eva, change("desk", seats=12))
    turns_out_invalid(world)
    rows = [row for row in listed(world, by=Day.DECLARED) if row.treatment is Treatment.REVERSE_CHARGE]
    assert any(row.reason is InvoiceReason.VAT_NUMBER_INVALID for row in rows) is corrected
    invalid = [row for row in rows if row.vies_answer is VatCheckStatus.INVALID]
    named = {row.number for row in invalid}
    found = [row for row in rows if row in invalid or row.amends in named]
    assert {row.declared_on.month for row in found} == {11, 12}
    assert sum(row.net_minor for row in found) == 0
    assert [(row.vat_number, row.net_minor) for row in rows if row not in found] == [("ATU66664013", 120_00)]


def test_what_is_issued_on_the_day_of_a_correction_is_not_declared_with_it(world: World) -> None:
    world.time = datetime(2026, 11, 30, 12, tzinfo=UTC)
    during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    ask_again(world, minutes=24 * 60)
    world.buy(world.customer(), purchase())
    assert {each.number for each in listed(world, *NOVEMBER, by=Day.DECLARED)} == {
        "INV-2026-000001",
        "CN-2026-000001",
        "INV-2026-000002",
    }
    assert [each.number for each in listed(world, *DECEMBER, by=Day.DECLARED)] == ["INV-2026-000003"]


def test_what_was_paid_after_midnight_by_the_sellers_clock_was_settled_that_day(world: World) -> None:
    world.policy(invoice_on_vat=True)
    world.buy(world.customer(card=None, vat_number="DE136695976"), purchase())
    world.time = datetime(2026, 11, 3, 23, tzinfo=UTC)  # midnight in Berlin
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000001", on=world.time, by="ops")
    assert [each.settled_on for each in listed(world)] == [date(2026, 11, 4)]
