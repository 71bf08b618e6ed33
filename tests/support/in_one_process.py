"""An order's steps in one process, as a worker with threads does them: what is shown, what is published, what is delivered."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from celery import Celery, Task, current_app

from models.states import Step
from tasks import pipeline
from tasks.running import in_process
from tests.support.places import at

Events = list[tuple[str, dict[str, Any]]]


def everything_stays_here(seen: Events, *, but: frozenset[Step] = frozenset(), carries: bool = True) -> None:
    """carries: whether steps share a transaction (`tasks.carrying`)."""

    def show(event: str, **fields: Any) -> None:
        seen.append((event, fields))

    in_process.set_up(stays_here=lambda step: step not in but, show=show, carries=carries)


class Messages:
    """What was published to the queue that these tests' broker has."""

    def take(self) -> list[tuple[str, int]]:
        """Task and retries of each message, taken out."""
        return [(headers["task"], headers["retries"]) for headers in self._take()]

    def take_delayed(self) -> list[tuple[str, int, float]]:
        """The same, and the seconds from now until it is due."""
        now = datetime.now(UTC)
        return [
            (headers["task"], headers["retries"], (datetime.fromisoformat(headers["eta"]) - now).total_seconds())
            for headers in self._take()
        ]

    def _take(self) -> list[dict[str, Any]]:
        with current_app.connection_for_read() as connection:
            queue, client = current_app.conf.task_default_queue, connection.default_channel.client
            waiting = [json.loads(each)["headers"] for each in client.lrange(queue, 0, -1)]
            client.delete(queue)
        return waiting

    def deliver(self, task: Task) -> list[str]:
        """Take everything out and run the messages of this task, as a worker would; returns what came of each."""
        with current_app.connection_for_read() as connection:
            queue, client = current_app.conf.task_default_queue, connection.default_channel.client
            waiting = [json.loads(each) for each in client.lrange(queue, 0, -1)]
            client.delete(queue)
        ours = [each for each in reversed(waiting) if each["headers"]["task"] == task.name]
        arguments = [json.loads(base64.b64decode(each["body"]))[0] for each in ours]
        return [str(task.apply(each, throw=True).get()) for each in arguments]


@contextmanager
def without_broker() -> Iterator[None]:
    """Nobody listens where the broker should be."""
    with_broker = current_app._get_current_object()
    Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=True)
    try:
        yield
    finally:
        with_broker.set_current()


def delivered(order_id: UUID, step: Step, *, task_id: str | None = None) -> str:
    """As a worker would: not called, but delivered by a message."""
    task: Task = getattr(pipeline, step)
    outcome: str = task.apply((str(order_id),), task_id=task_id, throw=True).get()
    return outcome


def told(events: Events, kind: str) -> list[str]:
    """Of the steps that were handed over."""
    names = {fields["uuid"]: fields["name"] for event, fields in events if event == "task-received"}
    return [names[fields["uuid"]] for event, fields in events if event == kind and fields["uuid"] in names]


def told_of(task_id: str, events: Events) -> list[str]:
    """What was told of a delivery, in place of Celery, which tells the rest."""
    return [event for event, fields in events if fields["uuid"] == task_id]


def just_before(step: Step, happens: Callable[[], object]) -> AbstractContextManager[None]:
    """In the block, call `happens` once, when the process is about to do `step`."""
    return at(f"{step}.delivered", happens)
