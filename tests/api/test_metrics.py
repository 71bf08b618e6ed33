"""What /metrics tells: orders, backlog, requests, letters, notifications, checks of the books, what is overdue, what waits for support."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from api_stub.routes import metrics
from models.books_checks import Compared, record_books_check
from models.orders import Order
from tasks.billing import receivables, unpaid
from tests.api.conftest import Api, purchase
from tests.support import world as worlds
from tests.support.many_orders import Plans
from tests.support.payment import DECLINES
from tests.support.vat_outage import during_outage
from tests.support.world import Customer, World
from worker.embedded import postgres


def test_metrics_count_orders_backlog_and_requests(world: World, api: Api, ada: Customer) -> None:
    api.order(ada, purchase())
    lines = api.get("/metrics").text.splitlines()
    assert 'prorata_orders{status="open"} 1.0' in lines
    assert 'prorata_orders{status="needs_attention"} 0.0' in lines
    assert "prorata_outbox_backlog 1.0" in lines
    assert "prorata_rejected_messages 0.0" in lines


def test_metrics_count_letters_that_nobody_takes(world: World, api: Api, ada: Customer) -> None:
    world.mailbox.fail("address_refused", recipient=ada.email)
    world.buy(ada, worlds.purchase())
    assert "prorata_letters_undeliverable 2.0" in api.get("/metrics").text.splitlines()


def test_metrics_count_requests(world: World, api: Api, ada: Customer) -> None:
    api.order(ada, purchase())
    lines = api.get("/metrics").text.splitlines()
    assert any(
        line.startswith('prorata_requests_total{method="POST",route="/v1/orders",status="201"}') for line in lines
    )


def counted(api: Api) -> set[str]:
    """The labels of all requests that were counted so far."""
    return set(re.findall(r"^prorata_requests_total\{(.+)\} ", api.get("/metrics").text, re.MULTILINE))


def test_methods_that_no_address_knows_are_counted_as_one_and_under_no_address(api: Api) -> None:
    before = counted(api)
    for method in ("GET", "PUT", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH"):
        for path in ("/v1/quotes", "/v1/webhooks/stripe", f"/v1/orders/{UUID(int=0)}/cancel"):
            assert api.client.request(method, path).status_code == 405
    assert counted(api) - before <= {
        'method="GET",route="none",status="405"',
        'method="PUT",route="none",status="405"',
        'method="other",route="none",status="405"',
        'method="GET",route="/metrics",status="200"',
    }
    assert 'method="other",route="none",status="405"' in counted(api)


def test_metrics_tell_of_the_latest_check_of_the_books(world: World, api: Api) -> None:
    def told() -> list[str]:
        lines = api.get("/metrics").text.splitlines()
        return [line.removeprefix("prorata_books_") for line in lines if line.startswith("prorata_books_")]

    assert told() == [
        'checked_seconds{check="verify"} +Inf',
        'checked_seconds{check="reconcile"} +Inf',
        'differences{check="verify"} 0.0',
        'differences{check="reconcile"} 0.0',
    ]
    with world.begin() as session:
        record_books_check(session, Compared.VERIFY, differences=3)
        session.execute(text("update books_checks set at = at - interval '1 day'"))
        record_books_check(session, Compared.RECONCILE, differences=0)
    ages = [float(line.split()[1]) for line in told()[:2]]
    assert ages[1] < 3600 < 86_400 <= ages[0] < 90_000
    assert told()[2:] == ['differences{check="verify"} 3.0', 'differences{check="reconcile"} 0.0']


def test_metrics_count_invoices_that_are_overdue(world: World, api: Api) -> None:
    """From the end of the day that they print, on the seller's clock."""
    world.policy(invoice_on_vat=True)
    world.buy(world.customer(card=None, vat_number="DE136695976", timezone="Europe/Berlin"), worlds.purchase())
    due = text("""
        update receivables set due_at = cast(:after as interval)
        + date_trunc('day', now() at time zone 'Europe/Berlin') at time zone 'Europe/Berlin'
    """)

    def overdue(after_midnight: str) -> bool:
        with world.begin() as session:
            session.execute(due, {"after": after_midnight})
        return "prorata_invoices_overdue 1.0" in api.get("/metrics").text.splitlines()

    assert (overdue("1 day"), overdue("0 s"), overdue("-1 s")) == (False, False, True)
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000001", on=world.time, by="ops")
    assert "prorata_invoices_overdue 0.0" in api.get("/metrics").text.splitlines()
    with world.begin() as session:
        unpaid.mark_unpaid(session, "INV-2026-000001", on=world.time, by="ops", why="called back")
    assert "prorata_invoices_overdue 1.0" in api.get("/metrics").text.splitlines()


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Europe/Berlin", "Etc/GMT+12"])
@pytest.mark.parametrize("sellers", ["DE", "US"])
def test_how_long_ago_an_invoice_was_due_does_not_change_when_it_is_overdue(
    world: World, api: Api, zone: str, sellers: str
) -> None:
    world.policy(invoice_on_vat=True)
    world.buy(world.customer(card=None, vat_number="DE136695976"), worlds.purchase())
    seller = replace(world.wiring.policy.seller, country=sellers)
    world.policy(seller=seller)
    now = datetime.now(UTC)
    dues = [now + timedelta(hours=hours) for hours in [*range(-80, 50), -24 * 365]]
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))  # documents never change
        session.execute(text("update invoices set timezone = :zone"), {"zone": zone})
        session.execute(OWED_AT, {"dues": dues})
    before = seller.day(datetime.now(UTC))
    [told] = re.findall(r"^prorata_invoices_overdue (\S+)", api.get("/metrics").text, re.MULTILINE)
    today = {before, seller.day(datetime.now(UTC))}
    assert float(told) in {sum(receivables.due_on(due, zone) < day for due in dues) for day in today}


OWED_AT = text("""
    with copies as (
        insert into invoices select (jsonb_populate_record(original, jsonb_build_object(
            'id', gen_random_uuid(), 'sequence', nth + 1, 'number', nth, 'cause', nth, 'issued_at', due
        ))).*
        from invoices original, unnest(cast(:dues as timestamptz[])) with ordinality as dues (due, nth)
        returning id, issued_at
    ), gone as (delete from receivables)
    insert into receivables (invoice_id, amount_minor, currency, due_at, status)
    select id, 1, 'EUR', issued_at, 'open' from copies
""")
"""The only document is copied, once for each of `dues`, and of the copies alone something is due, each at its own time."""


def test_of_what_is_overdue_for_long_no_document_is_read(world: World, api: Api) -> None:
    owed = text("""
        insert into receivables (invoice_id, amount_minor, currency, due_at, status)
        select gen_random_uuid(), 1, 'EUR', now() - n * interval '1 day', 'open' from generate_series(4, 1003) n
    """)
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))  # there are no documents
        session.execute(owed)
        session.execute(text("analyze receivables"))
    with Plans(world, "receivables") as plans:
        assert "prorata_invoices_overdue 1000.0" in api.get("/metrics").text.splitlines()
    around_now, long_ago = plans.noted
    assert "Index Only Scan using ix_receivables_open" in long_ago, long_ago
    assert re.search(r"Index Cond: \(\(due_at >= .+\) AND \(due_at < ", around_now), around_now


def test_metrics_tell_how_many_cases_wait_for_support_and_for_how_long(world: World, api: Api, ada: Customer) -> None:
    def told() -> list[float]:
        names = ("prorata_support_cases_open", "prorata_oldest_open_support_case_seconds")
        values = dict(line.split() for line in api.get("/metrics").text.splitlines() if line.startswith(names))
        return [float(values[name]) for name in names]

    assert told() == [0.0, 0.0]
    world.buy(ada, worlds.purchase("desk", "business"), worlds.purchase("chat", "team"))
    for product, tier in (("desk", "team"), ("desk", "basic"), ("chat", "basic")):
        world.refused(ada, worlds.change(product, tier=tier))
    with world.begin() as session:
        old = "update support_cases set created_at = now() - cast(:ago as interval) where product_code = 'desk' and to_tier = :tier"
        session.execute(text(old), {"ago": "30 h", "tier": "team"})
        session.execute(text(old), {"ago": "10 h", "tier": "basic"})
    assert [told()[0], told()[1] // 3600] == [3.0, 30.0]
    world.refused(ada, worlds.change("desk", tier="team"))
    assert told()[1] // 3600 == 30.0, "who asks again has waited since the first time"
    with world.begin() as session:
        session.execute(text("update support_cases set closed_at = now() where to_tier = 'team'"))
    assert [told()[0], told()[1] // 3600] == [2.0, 10.0]


def webhook_ages(api: Api) -> list[float]:
    """Of the oldest that waits, and since the last came."""
    names = ("prorata_oldest_waiting_webhook_seconds", "prorata_last_webhook_seconds")
    told = dict(line.split() for line in api.get("/metrics").text.splitlines() if line.startswith(names))
    return [float(told[name]) for name in names]


def test_metrics_tell_how_old_webhooks_are(world: World, api: Api) -> None:
    """Nothing else shows that the endpoint's secret is wrong, or that Stripe sends to another address."""
    assert webhook_ages(api) == [0.0, float("inf")]
    come = text("""
        insert into webhooks_received (id, type, payload, received_at, handled_at) values
        (:id, 'charge.refunded', '', now() - cast(:ago as interval), now() - cast(:handled as interval))
    """)
    with world.begin() as session:
        session.execute(come, {"id": "evt_1", "ago": "15 h", "handled": "13 h"})
    assert [each // 3600 for each in webhook_ages(api)] == [0, 13]
    with world.begin() as session:
        session.execute(come, {"id": "evt_2", "ago": "11 h", "handled": None})
        session.execute(come, {"id": "evt_3", "ago": "10 h", "handled": None})
    assert [each // 3600 for each in webhook_ages(api)] == [11, 10]


def test_metrics_tell_when_a_charge_last_succeeded(world: World, api: Api, ada: Customer) -> None:
    def age() -> float:
        name = "prorata_last_charge_seconds "
        [line] = [line for line in api.get("/metrics").text.splitlines() if line.startswith(name)]
        return float(line.removeprefix(name))

    assert age() == float("inf")
    world.buy(ada, worlds.purchase("desk"))
    world.buy(ada, worlds.purchase("chat"))
    with world.begin() as session:
        older, newer = session.scalars(text("select order_id from charge_attempts order by order_id"))
        made = text("update charge_attempts set created_at = now() - cast(:ago as interval) where order_id = :order")
        session.execute(made, {"ago": "3 h 5 min", "order": older})
        session.execute(made, {"ago": "5 h 5 min", "order": newer})
    assert age() // 3600 == 3
    with world.begin() as session:
        session.execute(
            text("update charge_attempts set status = 'declined' where order_id = :order"), {"order": older}
        )
    assert age() // 3600 == 5


def test_metrics_tell_how_many_of_the_latest_charges_were_declined(world: World, api: Api) -> None:
    def declined() -> str:
        [line] = re.findall(r"^prorata_latest_charges_declined .*", api.get("/metrics").text, re.MULTILINE)
        return str(line).split()[1]

    assert declined() == "0.0"
    customer = world.customer(card=DECLINES)
    api.use(customer)
    order_id = world.place(customer, worlds.purchase())
    world.run(order_id)
    assert declined() == "1.0"
    for token, told in ((DECLINES, "2.0"), ("pm_card_visa", "2.0")):
        assert api.post(f"/v1/orders/{order_id}/payment-method", {"token": token}).status_code == 200
        world.run(order_id)
        assert declined() == told


def test_metrics_count_notifications_that_are_refused(api: Api) -> None:
    api.client.post("/v1/webhooks/stripe", content=b"{}", headers={"Stripe-Signature": "t=1,v1=00"})
    assert re.search(
        r'^prorata_requests_total{method="POST",route="/v1/webhooks/stripe",status="400"} [1-9]',
        api.get("/metrics").text,
        re.MULTILINE,
    )


def test_metrics_tell_how_late_vat_follow_ups_are(world: World, api: Api) -> None:
    def told() -> list[float]:
        names = ("prorata_oldest_vat_question_seconds", "prorata_oldest_vat_letter_seconds")
        values = dict(line.split() for line in api.get("/metrics").text.splitlines() if line.startswith(names))
        return [float(values[name]) // 3600 for name in names]

    def change(order: Order, values: str) -> None:
        with world.begin() as session:
            session.execute(text(f"update vat_follow_ups set {values} where order_id = :id"), {"id": order.id})

    assert told() == [0.0, 0.0]
    orders = [during_outage(world)[1] for _ in range(2)]
    for order, hours in zip(orders, (30, 50), strict=True):
        change(order, f"created_at = clock_timestamp() - interval '{hours} h'")
    assert told() == [50.0, 0.0]
    settled = "outcome = 'vat_charged', letter_owed = true, settled_at = clock_timestamp() - interval"
    change(orders[1], f"{settled} '5 h'")
    assert told() == [30.0, 5.0]
    change(orders[0], f"{settled} '3 h'")
    assert told() == [0.0, 5.0]
    change(orders[1], "letter_owed = false")
    assert told() == [0.0, 3.0]


def test_an_answer_that_waits_for_a_dispute_is_no_late_question(world: World, api: Api) -> None:
    during_outage(world)
    answered = text("""
        update vat_follow_ups set created_at = clock_timestamp() - interval '90 days',
        vat_check_id = (select id from vat_checks limit 1)
    """)
    with world.begin() as session:
        session.execute(answered)
    assert "prorata_oldest_vat_question_seconds 0.0" in api.get("/metrics").text.splitlines()


def test_metrics_tell_how_long_the_oldest_message_waits_to_be_published(world: World, api: Api, ada: Customer) -> None:
    def told() -> float:
        name = "prorata_oldest_outbox_message_seconds "
        [line] = [line for line in api.get("/metrics").text.splitlines() if line.startswith(name)]
        return float(line.removeprefix(name))

    assert told() == 0.0
    api.order(ada, purchase("desk"))
    api.order(ada, purchase("chat"))
    with world.begin() as session:
        session.execute(
            text(
                "update outbox set created_at = clock_timestamp() - (3 - id + (select min(id) from outbox)) * interval '1 h'"
            )
        )
    assert told() // 3600 == 3.0
    with world.begin() as session:
        session.execute(text("delete from outbox where id = (select min(id) from outbox)"))
    assert told() // 3600 == 2.0


@pytest.mark.parametrize("state", ["42501", "55000"], ids=["revoked from us", "of Aurora"])
def test_a_server_that_does_not_tell_its_timeline_leaves_all_else_told(world: World, api: Api, state: str) -> None:
    """Aurora: "wal_level must be set to 'logical'"."""

    def refuse(_: object, __: object, statement: str, parameters: object, *___: object) -> tuple[str, object]:
        refusal = f"do $$ begin raise 'not here' using errcode = '{state}'; end $$"
        return (refusal if "pg_control" in statement else statement), parameters

    def told() -> set[str]:
        return {line.split()[0] for line in api.get("/metrics").text.splitlines() if line.startswith("prorata_")}

    known, engine = told(), world.transactions.engine
    event.listen(engine, "before_cursor_execute", refuse, retval=True)
    with capture_logs() as logged:
        without = [told(), told()]
    event.remove(engine, "before_cursor_execute", refuse)
    assert without == [known - {"prorata_database_timeline"}] * 2
    [line] = [line for line in logged if line["log_level"] == "warning"]
    assert line["event"] == "metrics without PostgreSQL's timeline"
    assert line["error"].startswith("not here")
    assert told() == known


def test_after_a_promotion_any_role_sees_another_timeline_at_once(tmp_path: Path) -> None:
    told = []
    with postgres(tmp_path, durable=False) as server:
        engine = create_engine(server.url)
        with engine.begin() as connection:
            connection.execute(text("create role ordinary"))

        def look() -> None:
            with Session(engine) as session:
                session.execute(text("set role ordinary"))
                told.append(metrics.timeline(session))

        look()
        server.child.stop()
        engine.dispose()
        (tmp_path / "data" / "standby.signal").touch()
        server.child.start(ready=server.answers, deadline=120)
        look()
        with engine.connect() as connection:
            assert connection.scalar(text("select pg_promote()"))
        look()
        engine.dispose()
    assert told == [1, 1, 2]
