"""Charges that the customer's bank asks about or takes back, and what is told of them."""

import re
from uuid import UUID

from models.orders import OrderEvent
from models.rules.cart import CartLine
from models.rules.refusals import RefusalCode
from tasks.operating import support_refund
from tests.support import books
from tests.support.world import Customer, World, purchase

BY_BANK = "You have disputed this payment, and your bank returns "
BY_US = " could not be refunded to your card, so we refunded it in another way."


def bought(world: World) -> tuple[Customer, UUID, str]:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    return ada, order_id, world.charge_ref(order_id)


def dispute(world: World, charge_ref: str, status: str = "needs_response", **more: object) -> str:
    """more: of `api_stub.stand_ins.stripe.control.Dispute`."""
    return str(world.stripe.control("dispute", payment_intent=charge_ref, status=status, **more)["id"])


def dispute_part(world: World, charge: str, amount: int, status: str = "lost") -> None:
    world.stripe.control("dispute", payment_intent=charge, status=status, amount=amount)


def turn(world: World, charge_ref: str, status: str) -> None:
    """The charge's dispute changes, also where it was decided before."""
    [made] = world.stripe.client().v1.disputes.list({"payment_intent": charge_ref}).data
    world.stripe.control("change", id=made.id, values={"status": status})


def happens(world: World, charge: str, *statuses: str) -> None:
    for status in statuses:
        dispute(world, charge, status)
        world.notify(charge, "charge.dispute.updated")


def give_back(order_id: UUID) -> None:
    support_refund.give_back(order_id, by="Olga", why="asked by phone")


def told_by_whom(world: World, customer: Customer) -> str | None:
    """Who gives the money back, as the notice tells the customer."""
    newest, *_ = world.mailbox.listed(f"to:{customer.email}")
    text = " ".join(str(world.mailbox.read(newest["ID"])["Text"]).split())
    return next((said for said in (BY_BANK, BY_US) if said in text), None)


def refused(world: World, customer: Customer, line: CartLine) -> list[RefusalCode]:
    return [refusal.code for refusal in world.refused(customer, line)]


def noted(world: World, order_id: UUID) -> list[tuple[str, str, int]]:
    """What the timeline says of disputes: kind of the entry, status, amount."""
    kinds = ("charge.disputed", "dispute.closed")
    rows = sorted(
        (row for kind in kinds for row in world.rows(OrderEvent, order_id=order_id, kind=kind)), key=lambda row: row.id
    )
    return [(row.kind, row.facts["status"], row.facts["amount_minor"]) for row in rows]


def named(world: World) -> list[tuple[str, str, str]]:
    """What `prorata ledger verify` names, without ids."""
    found = books.differences(world)
    return [(re.sub(r"(du|pi)_\w+", r"\1_1", each.what), each.expected, each.found) for each in found]


def waiting(world: World) -> list[bool]:
    """Of what `prorata ledger verify` names, whether each waits for the bank's decision."""
    return [difference.waits for difference in books.differences(world)]
