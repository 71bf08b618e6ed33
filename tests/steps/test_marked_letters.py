"""A letter that the mail server took is not sent again because PostgreSQL was away just then: it is marked as soon as that is back."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest
from celery.exceptions import Retry

from models.states import OrderStatus, Step
from tasks import slots, wiring
from tasks.mail import marking
from tasks.ports import Letter, Mailer
from tests.support.backup import left_alone
from tests.support.in_one_process import Events, Messages, delivered
from tests.support.world import World, purchase
from worker.embedded import PostgresServer


@dataclass
class Failover(Mailer):
    """PostgreSQL accepts nobody for so many seconds, from the mail server's yes to the next letter on."""

    world: World
    server: PostgresServer
    ends: ExitStack
    seconds: float = 0.0
    pauses: list[float] = field(default_factory=list)
    """time passes in these"""

    def comes(self, *, seconds: float) -> None:
        self.seconds = seconds
        wiring.plug_in(replace(self.world.wiring, mailer=self))

    def send(self, letter: Letter) -> None:
        self.world.wiring.mailer.send(letter)
        wiring.plug_in(self.world.wiring)
        self.ends.enter_context(left_alone(self.server, str(self.world.transactions.engine.url.database)))

    def sleep(self, pause: float) -> None:
        assert not slots._this_thread.held
        self.pauses.append(pause)
        if self.lasted() >= self.seconds:
            self.ends.close()

    def lasted(self) -> float:
        return sum(self.pauses)


@pytest.fixture
def failover(world: World, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Failover]:
    with ExitStack() as ends:
        failover = Failover(world, postgres_server, ends)
        monkeypatch.setattr(marking, "sleep", failover.sleep)
        monkeypatch.setattr(marking, "monotonic", failover.lasted)
        yield failover


def test_a_letter_is_sent_once_though_a_failover_takes_most_of_a_minute(
    world: World, events: Events, messages: Messages, failover: Failover
) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    failover.comes(seconds=55)
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    assert failover.lasted() == 55
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (world.letters(order_id), len(world.mails(ada))) == (["confirmation", "seat_prompt"], 2)
    assert world.timeline(order_id).count("letter.sent") == 2


def test_the_last_letter_is_marked_and_its_order_completed(world: World, events: Events, failover: Failover) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.PROMPT_SEAT_ASSIGNMENT)
    failover.comes(seconds=10)
    assert delivered(order_id, Step.PROMPT_SEAT_ASSIGNMENT) == "done"
    assert failover.lasted() == 10
    assert world.timeline(order_id)[-2:] == ["letter.sent", "order.completed"]
    assert len(world.mails(ada)) == 2


def test_after_a_minute_the_thread_is_free_and_the_letter_goes_out_once_more(world: World, failover: Failover) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    failover.comes(seconds=61)
    with pytest.raises(Retry):
        delivered(order_id, Step.SEND_CONFIRMATION_EMAIL)
    assert failover.lasted() == marking.PATIENCE
    failover.ends.close()
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (world.letters(order_id), len(world.mails(ada))) == (["confirmation", "seat_prompt"], 3)
