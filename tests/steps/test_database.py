"""What must never be is refused by the database itself."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import BigInteger, insert, text, update
from sqlalchemy.exc import IntegrityError

from models import ledger, tables
from models.accounts import Account, Contact, VatCheck
from models.ledger import BalanceTooLow, LedgerMovement, MovementKind
from models.orders import Order, OrderedProduct, OrderLine
from models.payments import ChargeAttempt, RefundAttempt
from models.rules.cart import SubscriptionStatus
from models.states import AttemptStatus, OrderStatus, RefundState
from models.subscriptions import SeatAssignment, Subscription, SubscriptionPeriod, Trial
from tasks.personal_data import erasure
from tests.support.world import Customer, World, purchase, trial


def test_every_amount_has_64_bits() -> None:
    amounts = [
        column
        for table in tables.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_minor")
    ]
    assert len(amounts) > 30
    assert [str(column) for column in amounts if not isinstance(column.type, BigInteger)] == []


# Constraints


@pytest.fixture
def ada(world: World) -> Customer:
    return world.customer()


def refuses(world: World, statement: Any, constraint: str) -> None:
    with pytest.raises(IntegrityError) as refused, world.begin() as session:
        session.execute(statement)
    assert constraint in str(refused.value)


@pytest.mark.parametrize(
    ("column", "domain"), [("status", "order_status"), ("next_step", "step"), ("language", "language")]
)
def test_a_listed_column_takes_what_is_listed_only(world: World, ada: Customer, column: str, domain: str) -> None:
    world.place(ada, purchase())
    refuses(world, text(f"UPDATE orders SET {column} = 'unheard-of'"), f"ck_{domain}")


def test_there_is_one_open_order_per_product_and_account(world: World, ada: Customer) -> None:
    world.place(ada, purchase("desk"))
    other = world.place(ada, purchase("chat"))
    row = {"account_id": ada.account_id, "product_code": "desk", "order_id": other}
    refuses(world, insert(OrderedProduct).values(**row), "pk_ordered_products")


def test_there_is_one_trial_per_product_and_account(world: World, ada: Customer) -> None:
    order = world.buy(ada, trial("desk"))
    row = {"account_id": ada.account_id, "product_code": "desk", "order_id": order.id, "started_at": world.time}
    refuses(world, insert(Trial).values(**row), "pk_trials")


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"due_minor": -1}, "ck_orders_due_adds_up"),
        ({"due_minor": 118_00, "balance_used_minor": 1_00 + 1}, "ck_orders_due_adds_up"),
        ({"due_minor": 120_00, "balance_used_minor": -1_00}, "ck_orders_settlement_not_negative"),
        ({"total_minor": 120_00, "due_minor": 120_00}, "ck_orders_total_adds_up"),
        ({"next_step": None}, "ck_orders_open_orders_have_a_next_step"),
        ({"status": OrderStatus.COMPLETED}, "ck_orders_open_orders_have_a_next_step"),
        ({"lease_token": uuid4()}, "ck_orders_lease_whole"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_orders_amounts_add_up_and_its_state_is_whole(
    world: World, ada: Customer, values: dict[str, Any], constraint: str
) -> None:
    order_id = world.place(ada, purchase())
    refuses(world, update(Order).where(Order.id == order_id).values(**values), constraint)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"charge_minor": -1}, "amounts_not_negative"),
        ({"unused_minor": -1, "net_minor": 100_01}, "amounts_not_negative"),
        ({"net_minor": 1}, "net_adds_up"),
        ({"tax_minor": 1}, "tax_adds_up"),
        ({"total_minor": 1}, "total_adds_up"),
        ({"seats": 0}, "seats_positive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_lines_amounts_add_up(world: World, ada: Customer, values: dict[str, Any], constraint: str) -> None:
    world.place(ada, purchase())
    refuses(world, update(OrderLine).values(**values), "ck_order_lines_")


def test_a_charge_and_a_refund_are_more_than_nothing(world: World, ada: Customer) -> None:
    world.buy(ada, purchase())
    refuses(world, update(ChargeAttempt).values(amount_minor=0), "ck_charge_attempts_amount_positive")


def test_an_order_has_one_charge_that_may_take_money(world: World, ada: Customer) -> None:
    order = world.buy(ada, purchase())
    [first] = world.rows(ChargeAttempt, order_id=order.id)
    row = {
        "order_id": order.id,
        "attempt": 2,
        "key": "another",
        "amount_minor": 1,
        "currency": "EUR",
        "payment_method_id": first.payment_method_id,
    }
    refuses(world, insert(ChargeAttempt).values(**row, status=AttemptStatus.PENDING), "one_live_charge")
    with world.begin() as session:
        session.execute(insert(ChargeAttempt).values(**row, status=AttemptStatus.DECLINED))


def test_a_charge_has_one_refund_that_has_not_failed(world: World, ada: Customer) -> None:
    order = world.buy(ada, purchase())
    row = {"order_id": order.id, "charge_attempt": 1, "amount_minor": 119_00, "currency": "EUR", "reason": "test"}
    with world.begin() as session:
        session.execute(insert(RefundAttempt).values(**row, attempt=1, key="a", status=RefundState.FAILED))
        session.execute(insert(RefundAttempt).values(**row, attempt=2, key="b", status=RefundState.PENDING))
    third = insert(RefundAttempt).values(**row, attempt=3, key="c", status=RefundState.PENDING)
    refuses(world, third, "one_live_refund")


def test_a_subscription_has_one_running_period_and_a_user_one_seat(world: World, ada: Customer) -> None:
    order = world.buy(ada, purchase())
    world.assign(ada, "desk", "a@x.example")
    held = world.subscription(ada, "desk")
    again = {"subscription_id": held.id, "user_email": "a@x.example", "assigned_at": world.time}
    refuses(world, insert(SeatAssignment).values(**again), "one_seat_per_user")
    [period] = world.rows(SubscriptionPeriod, subscription_id=held.id)
    columns = {c.name: getattr(period, c.name) for c in SubscriptionPeriod.__table__.columns if c.name != "id"}
    other = world.place(ada, purchase("chat"))
    refuses(world, insert(SubscriptionPeriod).values(**columns | {"order_id": other}), "one_running_period")
    assert order.id == period.order_id


@pytest.mark.parametrize(
    "values",
    [
        {"seats": 0},
        {"interval": None},
        {"status": SubscriptionStatus.TRIALING},
        {"anchor_day": 32},
        {"period_end": text("period_start")},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_subscription_makes_sense(world: World, ada: Customer, values: dict[str, Any]) -> None:
    world.buy(ada, purchase())
    refuses(world, update(Subscription).values(**values), "ck_subscriptions_")


def test_more_can_not_be_credited_than_was_charged(world: World, ada: Customer) -> None:
    world.buy(ada, purchase())
    refuses(world, update(SubscriptionPeriod).values(unused_minor=100_01), "unused_within_charged")
    refuses(world, update(SubscriptionPeriod).values(unused_tax_minor=19_01), "unused_tax_within_tax")


# The ledger


def post(world: World, customer: Customer, minor: int, cause: str) -> LedgerMovement | None:
    with world.begin() as session:
        kind = MovementKind.RESERVED if minor < 0 else MovementKind.GRANTED
        return ledger.post(
            session,
            account_id=customer.account_id,
            currency="EUR",
            kind=kind,
            amount_minor=minor,
            cause=cause,
            step="test",
        )


def test_a_cause_moves_money_once(world: World, ada: Customer) -> None:
    assert post(world, ada, 10_00, "one") is not None
    assert post(world, ada, 10_00, "one") is None
    assert world.balance(ada) == 10_00


def test_a_balance_is_never_negative_not_even_at_once(world: World, ada: Customer) -> None:
    world.grant(ada, 30_00)
    outcomes: list[str] = []

    def spend(number: int) -> None:
        try:
            post(world, ada, -20_00, f"spend {number}")
            outcomes.append("spent")
        except BalanceTooLow:
            outcomes.append("too low")

    in_parallel([partial(spend, number) for number in range(4)])
    assert sorted(outcomes) == ["spent", "too low", "too low", "too low"]
    assert world.balance(ada) == 10_00


def test_the_balance_is_the_sum_of_its_movements_in_their_order(world: World, ada: Customer) -> None:
    in_parallel([partial(post, world, ada, minor, f"grant {minor}") for minor in range(1, 7)])
    with world.begin() as session:
        found = ledger.movements(session, ada.account_id)
    assert [row.sequence for row in found] == [1, 2, 3, 4, 5, 6]
    assert [row.balance_minor for row in found] == [sum(r.amount_minor for r in found[: i + 1]) for i in range(6)]
    assert world.balance(ada) == 21


def test_the_database_refuses_a_negative_balance_and_a_sign_that_does_not_fit(world: World, ada: Customer) -> None:
    def granted(**values: Any) -> Any:
        row = {
            "account_id": ada.account_id, "currency": "EUR", "sequence": 1, "kind": MovementKind.GRANTED,
            "amount_minor": 10_00, "balance_minor": 10_00, "cause": "grant", "step": "test",
        }  # fmt: skip
        return insert(LedgerMovement).values(**row | values)

    refuses(world, granted(balance_minor=-1), "balance_not_negative")
    refuses(world, granted(kind=MovementKind.RESERVED), "sign_fits_kind")
    refuses(world, granted(amount_minor=0), "ck_ledger_movements_")


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("update ledger_movements set amount_minor = amount_minor", "UPDATE on ledger_movements refused"),
        ("delete from ledger_movements", "DELETE on ledger_movements refused"),
        ("truncate ledger_movements", "TRUNCATE on ledger_movements refused"),
        ("update accounts set currency = 'USD'", "UPDATE on accounts refused"),
    ],
)
def test_the_database_refuses_to_change_a_movement_or_an_accounts_currency(
    world: World, ada: Customer, statement: str, what: str
) -> None:
    world.grant(ada, 10_00)
    refuses(world, text(statement), what)
    assert world.balance(ada) == 10_00


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("update order_events set facts = facts", "UPDATE on order_events refused"),
        ("delete from order_events", "DELETE on order_events refused"),
        ("truncate order_events", "TRUNCATE on order_events refused"),
        ("update vat_checks set status = status", "UPDATE on vat_checks refused"),
        ("delete from vat_checks", "DELETE on vat_checks refused"),
    ],
)
def test_the_database_refuses_to_change_a_timeline_or_an_answer_of_the_vat_registry(
    world: World, statement: str, what: str
) -> None:
    order = world.buy(world.customer(country="AT", vat_number="ATU13585627"), purchase())
    told = world.timeline(order.id)
    refuses(world, text(statement), what)
    assert ([check.status for check in world.rows(VatCheck)], world.timeline(order.id)) == (["valid"], told)


@pytest.mark.parametrize(
    "statement", ["update erasures set erased_by = 'eve'", "delete from erasures", "truncate erasures"]
)
def test_the_database_refuses_to_change_the_record_of_an_erasure(world: World, ada: Customer, statement: str) -> None:
    erasure.erase(ada.email, by="bob", why="asked")
    refuses(world, text(statement), "the record of an erasure never changes")


@pytest.mark.parametrize("values", [{}, {"email": "x@erased.invalid", "is_billing_contact": True}])
def test_an_erased_contact_has_no_address_and_orders_nothing(
    world: World, ada: Customer, values: dict[str, Any]
) -> None:
    refuses(world, update(Contact).values(erased_at=world.time, **values), "ck_contacts_erased_is_nobody")


def test_an_account_may_be_written_with_the_currency_it_has(world: World, ada: Customer) -> None:
    with world.begin() as session:
        session.execute(text("update accounts set currency = currency, name = 'Ada'"))
    assert world.rows(Account)[0].name == "Ada"


def in_parallel(calls: list[Callable[[], Any]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
