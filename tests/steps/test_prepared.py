"""A prepared statement does what the session itself would: the same values, the same errors, the same transaction."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, bindparam, create_engine, insert, inspect, select, text
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InvalidRequestError,
    MultipleResultsFound,
    NoResultFound,
    OperationalError,
    PendingRollbackError,
    ProgrammingError,
)
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import DetachedInstanceError

import models
import tasks
from api_stub import access
from models.accounts import Account
from models.base import Base
from models.catalogue import Product
from models.invoices import Invoice, InvoiceLine
from models.messages import SentLetter
from models.orders import Order, OrderLine
from models.payments import ChargeAttempt
from models.prepared import Prepared, one_statement_only
from models.states import LetterKind
from models.subscriptions import Subscription, SubscriptionPeriod
from tests.support.world import Customer, World, purchase
from worker import relay


@pytest.fixture
def ada(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def session(world: World) -> Iterator[Session]:
    with world.begin() as session:
        yield session


_PARAMETER = re.compile(r"%\((\w+)\)s")


def everywhere() -> dict[str, Prepared[object]]:
    """Every prepared statement of the house, by where it stands."""
    names = [
        module.name
        for package in (models, tasks)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    modules = [importlib.import_module(name) for name in names if ".migrations" not in name]
    found = [(module, vars(module).items()) for module in (*modules, relay, access)]
    return {
        f"{module.__name__}.{name}": value
        for module, items in found
        for name, value in items
        if isinstance(value, Prepared)
    }


def test_every_prepared_statement_is_one_that_postgresql_takes(session: Session) -> None:
    found = everywhere()
    assert len(found) > 30
    refused = {}
    for name, statement in found.items():
        sql = statement._translated.sql
        numbers = {parameter: f"${at}" for at, parameter in enumerate(dict.fromkeys(_PARAMETER.findall(sql)), start=1)}
        with session.begin_nested() as attempt:
            try:
                session.connection().exec_driver_sql(f"PREPARE trial AS {sql % numbers}")
                session.connection().exec_driver_sql("DEALLOCATE trial")
            except DBAPIError as error:
                refused[name] = str(error.orig)
                attempt.rollback()
    assert refused == {}


@pytest.mark.parametrize(
    "entity", [Account, Order, OrderLine, ChargeAttempt, Subscription, SubscriptionPeriod, Invoice, InvoiceLine]
)
def test_an_object_is_what_a_query_makes_of_its_row(world: World, ada: Customer, entity: type[Base]) -> None:
    world.buy(ada, purchase())
    names = [column.key for column in inspect(entity).column_attrs]
    with world.begin() as session:
        queried = session.scalars(select(entity)).all()
        prepared = [made for (made,) in Prepared[Base](select(entity), entity).all(session, {})]

    def values(of: object) -> list[object]:
        return [getattr(of, name) for name in names]

    assert sorted(map(repr, map(values, prepared))) == sorted(map(repr, map(values, queried)))
    assert all(type(a) is type(b) for a, b in zip(values(prepared[0]), values(queried[0]), strict=True))


def test_what_an_outer_join_does_not_find_is_none(world: World, ada: Customer, session: Session) -> None:
    query = select(Account, ChargeAttempt).outerjoin(ChargeAttempt, ChargeAttempt.order_id == bindparam("order"))
    rows = Prepared[Account, ChargeAttempt | None](query.where(Account.id == ada.account_id), Account, ChargeAttempt)
    account, attempt = rows.one(session, {"order": uuid4()})
    assert (account.id, attempt) == (ada.account_id, None)


def test_an_object_does_not_pretend_to_know_its_relations(world: World, ada: Customer, session: Session) -> None:
    order_id = world.place(ada, purchase())
    query = select(Order).where(Order.id == bindparam("id"))
    order = Prepared[Order](query, Order).scalar(session, {"id": order_id})
    assert order is not None
    assert inspect(order).detached
    with pytest.raises((InvalidRequestError, DetachedInstanceError)):
        len(order.lines)


def test_what_the_session_has_to_write_is_written_first(world: World, session: Session) -> None:
    session.add(Product(**_PEN))
    name = Prepared[str](select(Product.name).where(Product.code == bindparam("code")))
    assert name.scalar(session, {"code": "pen"}) == "Pen"


@pytest.mark.parametrize("given", [{"code": "pen", "name": "Pen"}, {"code": "pen", "name": "Pen", "trail_days": 14}])
def test_every_parameter_must_be_given(session: Session, given: dict[str, object]) -> None:
    with pytest.raises(ProgrammingError, match="parameter missing"):
        _ADD.run(session, given)


def test_an_answer_that_cannot_be_read_is_sqlalchemys_error(session: Session) -> None:
    """Beyond the years that Python knows."""
    with pytest.raises(DataError):
        Prepared[datetime](text("SELECT 'infinity'::timestamptz")).all(session, {})


def test_what_is_set_on_an_object_is_not_written(world: World, ada: Customer) -> None:
    with world.begin() as session:
        query = select(Account).where(Account.id == bindparam("id"))
        account = Prepared[Account](query, Account).scalar(session, {"id": ada.account_id})
        assert account is not None
        account.name = "Somebody else"
    with world.begin() as session:
        assert session.get_one(Account, ada.account_id).name != "Somebody else"


_ADD = Prepared[()](insert(Product).values({name: bindparam(name) for name in ("code", "name", "trial_days")}))
_PEN = {"code": "pen", "name": "Pen", "trial_days": None}


def test_a_prepared_statement_belongs_to_the_sessions_transaction(world: World) -> None:
    def add_and_fail() -> None:
        with world.begin() as session:
            _ADD.run(session, _PEN)
            assert session.get(Product, "pen") is not None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    with world.begin() as session:
        assert session.get(Product, "pen") is None


def test_a_constraint_speaks_as_it_does_through_the_session(world: World) -> None:
    with world.begin() as session:
        _ADD.run(session, _PEN)
    with pytest.raises(IntegrityError, match="pk_products") as prepared, world.begin() as session:
        _ADD.run(session, _PEN)
    assert "Pen" not in str(prepared.value)  # no parameters: they may be addresses


_ANSWER = Prepared[int](text("SELECT 1"))


_BACKEND = Prepared[int](text("SELECT pg_backend_pid()"))


def _lost(world: World, then: Callable[[Session], object]) -> None:
    with world.begin() as session:
        backend = _BACKEND.scalar(session, {})
        with world.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})
        then(session)


@pytest.mark.parametrize(
    "then",
    [
        lambda session: _ANSWER.one(session, {}),
        lambda session: session.execute(text("SELECT 1")),
        lambda _: None,
    ],
    ids=["in a prepared statement", "in a query", "in the commit"],
)
def test_a_connection_that_is_lost_is_not_used_again(world: World, then: Callable[[Session], object]) -> None:
    with pytest.raises(OperationalError) as lost:
        _lost(world, then)
    assert lost.value.connection_invalidated
    for _ in range(3):
        with world.begin() as session:
            assert _ANSWER.scalar(session, {}) == 1


def test_with_one_connection_lost_the_pool_is_done_with_all(world: World, world_database_url: str) -> None:
    """Or each of them would fail somebody, after a network failure by a time limit each."""
    engine = create_engine(world_database_url, pool_size=4)
    sessions = [Session(engine) for _ in range(4)]
    backends = [_BACKEND.one(session, {})[0] for session in sessions]
    for session in sessions:
        session.close()
    with world.begin() as session:
        session.execute(text("SELECT pg_terminate_backend(pid) FROM unnest(:pids) AS pid"), {"pids": backends})
    failures = 0
    for _ in range(6):
        try:
            with Session(engine) as session:
                _ANSWER.one(session, {})
        except OperationalError:
            failures += 1
    engine.dispose()
    assert failures == 1


def test_nobody_goes_on_in_a_transaction_whose_connection_is_lost(world: World) -> None:
    """What it had done is undone; on a new connection the rest alone would be committed."""

    def go_on(session: Session) -> None:
        with suppress(OperationalError):
            _ANSWER.one(session, {})
        _ADD.run(session, _PEN)

    with pytest.raises(PendingRollbackError):
        _lost(world, go_on)
    with world.begin() as session:
        assert session.get(Product, "pen") is None


def _alone(engine: Engine) -> None:
    with Session(engine) as session:
        one_statement_only(session)
        _ADD.run(session, _PEN)


def test_a_statement_by_itself_is_committed_whatever_comes_after_it(world: World) -> None:
    def fail_after_it() -> None:
        with world.begin() as session:
            one_statement_only(session)
            _ADD.run(session, _PEN)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_it()
    with world.begin() as session:
        assert session.get(Product, "pen") is not None


@pytest.mark.parametrize(
    "first",
    [lambda session: _ANSWER.one(session, {}), lambda session: session.execute(text("SELECT 1"))],
    ids=["after itself", "after a query"],
)
def test_a_statement_by_itself_has_no_company(world: World, first: Callable[[Session], object]) -> None:
    with world.begin() as session:
        one_statement_only(session)
        first(session)
        with pytest.raises(RuntimeError, match="second statement"):
            _ADD.run(session, _PEN)
    with world.begin() as session:
        assert session.get(Product, "pen") is None


def test_a_statement_by_itself_says_that_its_connection_is_lost_and_the_next_has_another(
    world: World, world_database_url: str
) -> None:
    engine = create_engine(world_database_url, pool_size=1)
    with Session(engine) as session:
        backend = _BACKEND.scalar(session, {})
    with world.begin() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})
    with pytest.raises(OperationalError) as lost:
        _alone(engine)
    assert lost.value.connection_invalidated
    _alone(engine)
    engine.dispose()
    with world.begin() as session:
        assert session.get(Product, "pen") is not None


@pytest.mark.parametrize("queried", [False, True], ids=["prepared alone", "after a query"])
def test_a_savepoint_holds_for_prepared_statements(world: World, *, queried: bool) -> None:
    with world.begin() as session:
        if queried:
            session.execute(text("SELECT 1"))
        _ANSWER.one(session, {})
        with suppress(ZeroDivisionError), session.begin_nested():
            _ADD.run(session, _PEN)
            raise ZeroDivisionError
        _ADD.run(session, {**_PEN, "code": "ink"})
    with world.begin() as session:
        assert session.get(Product, "pen") is None
        assert session.get(Product, "ink") is not None


def test_more_or_fewer_rows_than_asked_for_are_an_error(world: World, session: Session) -> None:
    some = Prepared[int](text("SELECT * FROM generate_series(1, :number)"))
    assert some.all(session, {"number": 2}) == [(1,), (2,)]
    assert some.scalar(session, {"number": 0}) is None
    assert some.one(session, {"number": 1}) == (1,)
    with pytest.raises(MultipleResultsFound, match="2 rows"):
        some.one_or_none(session, {"number": 2})
    with pytest.raises(NoResultFound):
        some.one(session, {"number": 0})


@pytest.mark.parametrize(
    "statement",
    [
        insert(SentLetter).values(order_id=UUID(int=1), kind=LetterKind.CONFIRMATION),
        insert(Account).values(name="Ada"),
        select(Order.id).where(Order.number.in_([1, 2])),
    ],
    ids=["a default", "a key made in Python", "a list"],
)
def test_what_would_be_another_statement_each_time_is_refused(session: Session, statement: object) -> None:
    with pytest.raises(TypeError, match="another statement each time"):
        Prepared[()](statement).run(session, {})  # type: ignore[arg-type]
