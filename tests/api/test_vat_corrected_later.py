"""What a shop sees of an order whose VAT number the registry judged only after the order was completed."""

from datetime import datetime
from typing import Any

import pytest

from models.accounts import Language
from models.orders import Order
from models.states import PaymentKind
from tasks.billing import receivables
from tasks.letters.wording import Wording
from tasks.policy import VatOutage
from tests.api.conftest import Api
from tests.support.vat_outage import NUMBER, ask_again, corrected_invoice, during_outage
from tests.support.world import World, purchase

OWED = ("INV-2026-000002", 20_00)


def shown(api: Api, order: Order) -> dict[str, Any]:
    answer: dict[str, Any] = api.get(f"/v1/orders/{order.id}").json()
    return answer


def owed(told: dict[str, Any]) -> tuple[str, int] | None:
    return told["owed"] and (told["owed"]["invoice"], told["owed"]["amount"]["minor"])


def answered(world: World, status: str) -> None:
    world.vies.register(NUMBER, status=status)
    ask_again(world)


def test_vat_that_is_due_after_all_is_owed_on_the_order_and_in_the_list(world: World, api: Api) -> None:
    eva, order = during_outage(world)
    api.use(eva)
    before = shown(api, order)
    assert (before["vat"]["provisional"], before["vat"]["answer"], before["vat"]["outcome"]) == (True, None, None)
    assert (before["owed"], before["status_text"]) == (None, "Your order is complete.")
    answered(world, "invalid")
    after = shown(api, order)
    assert (after["status"], after["final"]) == ("completed", True)
    assert (after["vat"]["provisional"], after["vat"]["answer"], after["vat"]["outcome"]) == (
        False, "invalid", "vat_charged",
    )  # fmt: skip
    assert owed(after) == OWED
    assert after["totals"] == before["totals"]
    assert after["status_text"] == (
        "Your order is complete. Payable by bank transfer on invoice INV-2026-000002, due date 1\xa0December\xa02026: €20.00."
    )
    [listed] = api.get("/v1/orders").json()["orders"]
    assert listed["owed"] == after["owed"]
    [followed_up] = [each for each in after["timeline"] if each["kind"] == "vat.followed_up"]
    assert followed_up["facts"] == {"answer": "invalid", "outcome": "vat_charged"}
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000002", on=world.time, by="ops")
    paid = shown(api, order)
    assert (paid["owed"], paid["vat"], paid["status_text"]) == (None, after["vat"], "Your order is complete.")


@pytest.mark.parametrize(
    ("outage", "answer", "outcome"),
    [
        (VatOutage.PROVISIONAL, "valid", "confirmed"),
        (VatOutage.CHARGE_VAT, "valid", "vat_credited"),
        (VatOutage.CHARGE_VAT, "invalid", "confirmed"),
    ],
)
def test_an_answer_that_leaves_nothing_owed_is_told_with_what_followed(
    world: World, api: Api, outage: VatOutage, answer: str, outcome: str
) -> None:
    eva, order = during_outage(world, outage)
    api.use(eva)
    answered(world, answer)
    told = shown(api, order)
    assert (told["vat"]["answer"], told["vat"]["outcome"], told["owed"]) == (answer, outcome, None)


def test_an_order_whose_number_was_confirmed_at_once_has_no_later_answer(world: World, api: Api) -> None:
    world.vies.register(NUMBER, status="valid")
    eva = world.customer(country="AT", vat_number=NUMBER)
    api.use(eva)
    told = shown(api, world.buy(eva, purchase("desk")))
    assert (told["vat"]["number"], told["vat"]["answer"], told["vat"]["outcome"]) == (NUMBER, None, None)


def test_an_order_on_invoice_owes_its_invoice(world: World, api: Api) -> None:
    world.policy(invoice_on_vat=True)
    world.vies.register(NUMBER, status="valid")
    eva = world.customer(country="AT", vat_number=NUMBER, card=None)
    api.use(eva)
    order = world.buy(eva, purchase("desk", "team", seats=10))
    assert order.payment_kind is PaymentKind.INVOICE
    told = shown(api, order)
    assert owed(told) == ("INV-2026-000001", 100_00)
    assert told["owed"]["due_at"] == told["payment"]["invoice_due_at"]


def test_the_day_by_which_an_invoice_asks_for_the_money_is_that_of_its_own_zone(world: World, api: Api) -> None:
    world.policy(invoice_on_vat=True)
    world.vies.register(NUMBER, status="valid")
    eva = world.customer(country="AT", vat_number=NUMBER, card=None, timezone="Pacific/Auckland")
    api.use(eva)
    world.pass_time(hours=5)
    told = shown(api, world.buy(eva, purchase("desk", "team", seats=10)))
    assert (told["owed"]["due_at"], told["owed"]["due_on"]) == ("2026-12-01T14:00:00Z", "2026-12-02")
    assert told["payment"]["invoice_due_on"] == "2026-12-02"
    [listed] = api.get(f"/v1/accounts/{eva.account_id}/invoices?owed=true").json()["invoices"]
    assert listed["owed"]["due_on"] == "2026-12-02"


def explained(api: Api, order: Order) -> list[str]:
    settlement: list[str] = api.get(f"/v1/orders/{order.id}/explanation").json()["settlement"]
    return settlement


def test_the_explanation_goes_on_to_say_that_vat_is_due_and_how_much(world: World, api: Api) -> None:
    eva, order = during_outage(world)
    api.use(eva)
    before = explained(api, order)
    answered(world, "invalid")
    assert explained(api, order) == [
        *before,
        "VIES has since replied that your VAT number is not valid, so VAT is due after all: invoice INV-2026-000002 replaces the first one.",
        "Net €100.00 and VAT €20.00 make €120.00.",
        "Payable by bank transfer on invoice INV-2026-000002, due date 1\xa0December\xa02026: €20.00.",
    ]


def test_the_explanation_goes_on_to_say_that_vat_was_given_back(world: World, api: Api) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    api.use(eva)
    before = explained(api, order)
    answered(world, "valid")
    assert explained(api, order) == [
        *before,
        "VIES has since confirmed your VAT number, so VAT is given back: €20.00 was added to your balance (CN-2026-000001).",
    ]


INVOICED = {
    Language.EN: "Invoiced for payment by bank transfer: €100.00.",
    Language.DE: "Zur Zahlung per Überweisung in Rechnung gestellt: 100,00\xa0€.",
    Language.ES: "Facturado para pagar por transferencia (100,00\xa0€).",
    Language.FR: "Facturé pour paiement par virement\xa0: 100,00\xa0€.",
    Language.IT: "Fatturato per il pagamento con bonifico (100,00\xa0€).",
}


def on_invoice_during_outage(world: World, api: Api, **account: Any) -> Order:
    world.policy(invoice_on_vat=True)
    eva, order = during_outage(world, card=None, **account)
    assert order.payment_kind is PaymentKind.INVOICE
    api.use(eva)
    return order


@pytest.mark.parametrize("language", Language)
def test_only_what_is_still_owed_asks_for_money_once_an_invoice_was_replaced(
    world: World, api: Api, language: Language
) -> None:
    order = on_invoice_during_outage(world, api, language=language)
    answered(world, "invalid")
    told = explained(api, order)
    w = Wording(language, "EUR", "UTC")
    due = w.date(datetime.fromisoformat(shown(api, order)["owed"]["due_at"]))
    assert told[1] == INVOICED[language]
    assert [due in each for each in told] == [False] * 4 + [True]
    assert (owed(shown(api, order)), w.money(120_00) in told[-1]) == (("INV-2026-000002", 120_00), True)


def test_what_was_paid_before_its_invoice_was_replaced_was_paid_and_only_the_rest_is_asked_for(
    world: World, api: Api
) -> None:
    order = on_invoice_during_outage(world, api)
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000001", on=world.time, by="ops")
    answered(world, "invalid")
    told = explained(api, order)
    assert (told[1], told[-1][-9:]) == ("Paid by bank transfer: €100.00.", ": €20.00.")
    assert shown(api, order)["status_text"].endswith(told[-1])


def test_an_explanation_asks_for_nothing_where_nothing_is_owed_after_all(world: World, api: Api) -> None:
    order = on_invoice_during_outage(world, api)
    answered(world, "invalid")
    number = shown(api, order)["owed"]["invoice"]
    with world.begin() as session:
        receivables.mark_paid(session, number, on=world.time, by="ops")
    told = explained(api, order)
    assert (told[1], shown(api, order)["owed"]) == (INVOICED[Language.EN], None)
    assert not any("Payable" in each for each in told)


@pytest.mark.parametrize("language", Language)
def test_what_is_owed_is_said_in_the_orders_language(world: World, api: Api, language: Language) -> None:
    eva, order = corrected_invoice(world, language=language)
    api.use(eva)
    w = Wording(language, "EUR", "UTC")
    *_, last = explained(api, order)
    assert shown(api, order)["status_text"] == f"{w.say('Your order is complete.')} {last}"
    assert all(each in last for each in ("INV-2026-000002", w.money(20_00)))
