"""One sample order, from its quote to its end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from api_stub.demo.sample_file import Event, SampleOrder
from api_stub.demo.upstream import Json, Refusal
from api_stub.demo.world import Seen, StillWaiting, World

Buyer = Callable[[SampleOrder], tuple[UUID, UUID]]
"""the ids of a sample order's account and contact"""


@dataclass(slots=True)
class Played:
    """What came of a sample order."""

    sample: SampleOrder
    quote: Json | None = None
    """the one it was placed on, or the fresh one confirmed since"""
    placed: list[Json] = field(default_factory=list)
    """the answers to placing it, one for each time"""
    order: Json | None = None
    refusal: Refusal | None = None
    trouble: str | None = None
    """it could not be played to its end"""


def play(sample: SampleOrder, world: World, buyer: Buyer, seen: Seen) -> Played:
    played = Played(sample)
    try:
        _play(played, world, buyer, seen)
    except Refusal as refusal:
        played.refusal = refusal
    except StillWaiting as error:
        played.trouble = str(error)
    if played.placed and played.order is None:
        played.order = world.upstream.order(played.placed[0]["id"])
    return played


def _play(played: Played, world: World, buyer: Buyer, seen: Seen) -> None:
    sample = played.sample
    account_id, contact_id = buyer(sample)
    for happening in sample.before:
        world.happen(happening, account_id)
    quote_id = _quote(played, world, account_id, contact_id)
    for happening in sample.between:
        world.happen(happening, account_id)
    key = str(uuid4())
    for _ in range(2 if sample.twice else 1):
        played.placed.append(world.upstream.place(account_id=account_id, quote_id=quote_id, key=key))
    order_id = played.placed[0]["id"]
    for happening in sample.then:
        waiting = world.act(happening, order_id, seen)
        if happening.event is Event.CONFIRM:
            played.quote = waiting["next"]["quote"]
    expected = sample.expected.status
    played.order = world.wait_for(order_id, (expected,) if expected else (), seen)


def _quote(played: Played, world: World, account_id: UUID, contact_id: UUID) -> str:
    sample = played.sample
    if sample.quoted:
        return world.backstage.quote_of_long_ago(
            account_id=account_id, contact_id=contact_id, lines=sample.cart, age=sample.quoted
        )
    played.quote = world.upstream.quote(account_id=account_id, contact_id=contact_id, lines=sample.cart)
    return str(played.quote["id"])
