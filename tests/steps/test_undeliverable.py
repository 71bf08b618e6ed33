"""A letter that can reach nobody holds nothing up: its order ends as any other."""

import pytest
from sqlalchemy import update

from models.accounts import Contact
from models.messages import SentLetter
from models.orders import OrderEvent
from models.states import LetterStatus, OrderStatus
from tasks.personal_data import erasure
from tests.support.world import World, purchase


@pytest.mark.parametrize(
    "address",
    [
        "=?utf-8?q?victim=40other.example=2c?=@x.example",
        "=?utf-8?b?!?=@x.example",
        "=?utf-8?q??=@x.example",
        "=?utf-8?q?a=0d=0ab?=@x.example",
    ],
)
def test_an_order_for_an_address_that_looks_encoded_is_completed_without_letters(world: World, address: str) -> None:
    ada = world.customer()
    with world.begin() as session:
        session.execute(update(Contact).where(Contact.id == ada.contact_id).values(email=address))
    order = world.buy(ada, purchase())
    assert (order.status, world.charged(ada)) == (OrderStatus.COMPLETED, [119_00])
    assert {letter.status for letter in world.rows(SentLetter)} == {LetterStatus.UNDELIVERABLE}
    told = [event.facts for event in world.rows(OrderEvent, kind="letter.undeliverable")]
    assert told == [{"kind": "confirmation", "code": "5.1.3"}, {"kind": "seat_prompt", "code": "5.1.3"}]
    assert world.mailbox.listed("to:other.example") == []
    erasure.erase(address, by="bob", why="asked on 3 May")
