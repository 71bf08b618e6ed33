"""An answer that is read in several statements is told as of one moment, whatever happens between two of them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, event

from api_stub.routes import seats
from api_stub.views import invoice_view
from models import ledger
from tests.api.conftest import Api, Desk, purchase
from tests.support.vat_outage import during_outage, turns_out_invalid
from tests.support.world import MONTH, Customer, World


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str, Callable[[], object]], None]:
    """Let something happen just before a route reads on with the function of this name, once."""

    def arrange(module: Any, name: str, happens: Callable[[], object]) -> None:
        read = getattr(module, name)

        def reads_on(*asked: Any, **named: Any) -> Any:
            monkeypatch.setattr(module, name, read)
            happens()
            return read(*asked, **named)

        monkeypatch.setattr(module, name, reads_on)

    return arrange


def test_the_balance_is_that_after_the_newest_movement(
    world: World, api: Api, ada: Customer, meanwhile: Callable[..., None]
) -> None:
    world.grant(ada, 5_00)
    meanwhile(ledger, "balance", lambda: world.grant(ada, 2_00))
    told = []
    for _ in range(2):
        answer = api.get(f"/v1/accounts/{ada.account_id}/balance", params={"limit": 1}).json()
        told.append((answer["balance"]["minor"], answer["movements"][0]["balance"]["minor"]))
    assert told == [(5_00, 5_00), (7_00, 7_00)]


def test_as_many_seats_are_assigned_as_users_are_listed(api: Api, desk: Desk, meanwhile: Callable[..., None]) -> None:
    meanwhile(seats, "assigned", lambda: desk.assign("mia@customer.example"))
    told = []
    for _ in range(2):
        answer = api.get(desk.path).json()
        told.append((answer["assigned"], [user["email"] for user in answer["users"]]))
    assert told == [(0, []), (1, ["mia@customer.example"])]


def test_what_is_owed_is_what_the_listed_documents_leave(
    world: World, api: Api, meanwhile: Callable[..., None]
) -> None:
    world.policy(invoice_on_vat=True)
    eva, order = during_outage(world, card=None)
    api.use(eva)

    meanwhile(invoice_view, "_lines", lambda: turns_out_invalid(world))
    told = []
    for _ in range(2):
        answer = api.get(f"/v1/orders/{order.id}/invoices").json()["invoices"]
        told.append([(each["number"], each["owed"] and each["owed"]["status"]) for each in answer])
    assert told == [
        [("INV-2026-000001", "open")],
        [("INV-2026-000001", "cancelled"), ("CN-2026-000001", None), ("INV-2026-000002", "open")],
    ]


def test_an_order_is_explained_with_the_lines_of_its_totals(world: World, api: Api, ada: Customer) -> None:
    order_id = UUID(api.order(ada, purchase()))
    world.reprice("desk", "team", MONTH, 11_00)
    world.run(order_id)
    pending = [order_id]

    def confirmed_meanwhile(_: Connection, __: object, statement: str, *___: object) -> None:
        if "FROM order_lines" in statement and pending:
            world.confirm(pending.pop())

    event.listen(Engine, "before_cursor_execute", confirmed_meanwhile)
    try:
        explained = api.get(f"/v1/orders/{order_id}/explanation").json()
    finally:
        event.remove(Engine, "before_cursor_execute", confirmed_meanwhile)
    assert world.order(order_id).total_minor == 130_90
    assert "10 × €10.00 = €100.00" in explained["lines"][0]["sentences"][0].replace("\N{NO-BREAK SPACE}", " ")
    assert explained["settlement"][0] == "All lines together: net €100.00 and VAT €19.00 make €119.00."
