"""All documents of an account over HTTP."""

from typing import Any

import pytest

from tasks.billing import receivables
from tests.api.conftest import Api
from tests.support.many_orders import Plans
from tests.support.vat_outage import corrected_invoice
from tests.support.world import Customer, World, purchase


def test_an_account_lists_all_its_documents_or_those_on_which_something_is_owed(world: World, api: Api) -> None:
    eva, _ = corrected_invoice(world)
    api.use(eva)
    world.buy(eva, purchase("chat"))
    own = f"/v1/accounts/{eva.account_id}/invoices"

    def numbers(**query: Any) -> list[str]:
        return [each["number"] for each in api.get(own, params=query).json()["invoices"]]

    settled = ["INV-2026-000001", "CN-2026-000001", "INV-2026-000003"]
    assert numbers() == ["INV-2026-000001", "CN-2026-000001", "INV-2026-000002", "INV-2026-000003"]
    assert (numbers(owed="true"), numbers(owed="false")) == (["INV-2026-000002"], settled)
    first = api.get(own, params={"limit": 3}).json()
    assert first["next_after"] is not None
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000002", on=world.time, by="ops")
    assert (numbers(owed="true"), numbers(after=first["next_after"], owed="true")) == ([], [])
    assert numbers(after=first["next_after"]) == ["INV-2026-000003"]


@pytest.mark.parametrize("given", ["yes", "1", "", "True"])
def test_owed_is_true_or_false_and_nothing_else(api: Api, ada: Customer, given: str) -> None:
    answer = api.get(f"/v1/accounts/{ada.account_id}/invoices", params={"owed": given})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"parameter": "owed", "detail": "must be true or false"}]


def test_nobody_sees_the_documents_of_another_account(world: World, api: Api, ada: Customer) -> None:
    bob = world.customer()
    world.buy(bob, purchase("desk"))
    assert api.get(f"/v1/accounts/{bob.account_id}/invoices").status_code == 404
    assert api.get(f"/v1/accounts/{ada.account_id}/invoices").json() == {"invoices": [], "next_after": None}


def test_they_are_found_by_an_index_of_the_account_s(world: World, api: Api, ada: Customer) -> None:
    """One of all documents by their id passes all that are older than the account's."""
    world.buy(ada, purchase("chat"))
    with Plans(world, "invoices") as plans:
        assert api.get(f"/v1/accounts/{ada.account_id}/invoices").status_code == 200
    [plan] = plans.noted
    assert "ix_invoices_account " in plan, plan
