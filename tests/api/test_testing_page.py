"""docs/testing.md: what it says of cards is tried, and it names every token, fault and status that there is, and no other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import stripe

from api_stub.stand_ins.mailbox.faults import KINDS
from api_stub.stand_ins.stripe.cards import CARDS
from api_stub.stand_ins.stripe.faults import Kind
from api_stub.stand_ins.vies.answers import REFUSALS
from api_stub.stand_ins.vies.register import DEREGISTERED
from api_stub.stand_ins.vies.service import FAULTS
from models.states import OrderStatus
from tasks.errors import Misconfigured
from tests.api.conftest import Api, problem, purchase
from tests.support import world as worlds
from tests.support.world import World

PAGE = (Path(__file__).parents[2] / "docs/testing.md").read_text()
FRENCH = "FR40303265045"
QUOTED = re.compile(r"`([^`]+)`")


def rows(title: str) -> Iterator[list[str]]:
    """The cells of a section's table."""
    section = re.split(rf"^##+ {title}\n", PAGE, flags=re.MULTILINE)[1]
    for line in re.split(r"^##", section, flags=re.MULTILINE)[0].splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def named(title: str) -> list[str]:
    """What the first column of a section's table names."""
    return [name for cells in rows(title) for name in QUOTED.findall(cells[0])]


TOKENS = [(token, given, paid) for tokens, given, paid in rows("Cards") for token in QUOTED.findall(tokens)]


def _behaviour(token: str) -> tuple[object, ...]:
    """What is not only how the card looks."""
    card = CARDS[token]
    return card.decline, card.attaches, card.authentication, card.refund, card.type


TRIED = {(_behaviour(token), given, paid): token for token, given, paid in TOKENS}
"""one token for each behaviour of a row, which stands for the others"""
STORED = [(token, paid) for (_, given, paid), token in TRIED.items() if given == "stored"]
REFUSED = [(token, given) for (_, given, _), token in TRIED.items() if given != "stored"]


def statuses(cell: str) -> list[str]:
    """Those that an order has one after the other; what comes after a semicolon is another story."""
    return QUOTED.findall(cell.partition(";")[0])


@pytest.mark.parametrize(("token", "paid"), STORED)
def test_an_order_that_is_charged_to_a_card_goes_as_the_page_says(
    world: World, api: Api, token: str, paid: str
) -> None:
    customer = world.customer(card=None)
    api.use(customer)
    given = api("PUT", f"/v1/accounts/{customer.account_id}/payment-method", json={"token": token})
    assert given.status_code == 200
    order = world.run(UUID(api.order(customer, purchase())))
    went = [str(order.status)]
    if order.status is OrderStatus.AWAITING_AUTHENTICATION:
        world.authenticate(order.id)
        world.notify(world.charge_ref(order.id))
        went.append(str(world.run(order.id).status))
    assert went == statuses(paid)


@pytest.mark.parametrize(("token", "given"), REFUSED)
def test_a_card_that_is_refused_when_it_is_given_has_the_code_that_the_page_says(
    world: World, api: Api, token: str, given: str
) -> None:
    customer = world.customer(card=None)
    api.use(customer)
    answer = api("PUT", f"/v1/accounts/{customer.account_id}/payment-method", json={"token": token})
    assert problem(answer) == (422, "payment-method-refused")
    assert [answer.json()["decline_code"]] == QUOTED.findall(given)


@pytest.mark.parametrize("kind", REFUSALS)
def test_an_order_whose_number_cannot_be_asked_about_needs_a_person(world: World, kind: str) -> None:
    customer = world.customer(country="FR", vat_number=FRENCH)
    order_id = world.place(customer, worlds.purchase())
    assert any(
        kind in QUOTED.findall(kinds) and statuses(order) == ["needs_attention"] for kinds, _, order in rows("Of VIES")
    )
    world.vies.fail(kind)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    assert world.order(order_id).status is OrderStatus.NEEDS_ATTENTION


def test_an_order_whose_charge_meets_a_revoked_key_needs_a_person_as_the_page_says(world: World) -> None:
    order_id = world.place(world.customer(), worlds.purchase())
    world.stripe.fail("key_refused")
    with pytest.raises(Misconfigured):
        world.run(order_id)
    [went] = [statuses(order)[0] for kind, _, order in rows("Of Stripe") if kind == "`key_refused`"]
    assert world.order(order_id).status == went


LETTERS = [
    (kind, statuses(order)[0])
    for kinds, _, order in rows("Of the mail server")
    for kind in QUOTED.findall(kinds)
    if statuses(order)[0] != "open" and kind != "slow"
]


@pytest.mark.parametrize(("kind", "status"), LETTERS)
def test_a_letter_that_is_refused_leaves_the_order_as_the_page_says(world: World, kind: str, status: str) -> None:
    customer = world.customer()
    order_id = world.place(customer, worlds.purchase())
    world.mailbox.fail(kind)
    if status == OrderStatus.NEEDS_ATTENTION:
        with pytest.raises(Misconfigured):
            world.run(order_id)
    else:
        world.run(order_id)
        assert "letter.undeliverable" in world.timeline(order_id)
    assert world.order(order_id).status == status


def test_every_token_fault_and_status_is_named_once_and_no_other() -> None:
    assert sorted(token for token, *_ in TOKENS) == sorted(CARDS)
    assert sorted(named("Of Stripe")) == sorted(Kind)
    assert sorted(named("Of VIES")) == sorted(FAULTS)
    assert sorted(named("Of the mail server")) == sorted(KINDS)
    assert sorted(named("Each status")) == sorted(OrderStatus)


def test_the_numbers_that_are_not_registered_are_named() -> None:
    [line] = re.findall(r"except these: (.*)\.$", PAGE, re.MULTILINE)
    assert set(QUOTED.findall(line)) == DEREGISTERED


def test_a_stand_in_takes_what_the_page_sends_to_it(world: World) -> None:
    asked = re.findall(r"^curl \$(STRIPE|VIES|MAIL)(/_control/\w+) .* -d '(.*)'$", PAGE, re.MULTILINE)
    assert [(who, path) for who, path, _ in asked] == [
        ("VIES", "/_control/numbers"),
        ("STRIPE", "/_control/faults"),
        ("VIES", "/_control/faults"),
        ("MAIL", "/_control/faults"),
    ]
    for who, path, body in asked:
        if who == "STRIPE":
            world.stripe.control(path.rpartition("/")[2], **json.loads(body))
            with pytest.raises(stripe.APIError):
                world.stripe.client().v1.payment_intents.list()
        else:
            stand_in = world.vies if who == "VIES" else world.mailbox
            assert stand_in.http.post(path, json=json.loads(body)).status_code == 201


@pytest.mark.parametrize("domain", [".example", ".test", ".invalid", ".localhost"])
def test_an_address_is_taken_or_refused_as_the_page_says(world: World, api: Api, domain: str) -> None:
    customer = world.customer(card=None)
    api.use(customer)
    [line] = re.findall(r"addresses in `(\.\w+)` .*?: those in (.*?) are refused", PAGE)
    added = api.post(f"/v1/accounts/{customer.account_id}/contacts", {"name": "Mia", "email": f"mia@customer{domain}"})
    assert (added.status_code == 201, added.status_code == 422) == (
        domain == line[0],
        domain in QUOTED.findall(line[1]),
    )
