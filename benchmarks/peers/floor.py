"""One of a floor's two processes; see `benchmarks.peers.floor_load`."""

import json
import os
import threading
import traceback
from contextlib import nullcontext

import psycopg
import redis

from benchmarks.peers.environment import (
    ASKS_OUTSIDE,
    BROKER_URL,
    JOBS,
    PATIENCE,
    PLAIN_URL,
    RECORDED,
    SAYS_STATEMENTS,
    THREADS,
    TO_RECORD,
    say_ready,
    tell_done,
)
from benchmarks.recording import Call, Recording, Retold, Transaction, record
from models.states import FORWARD
from tasks import pipeline
from tasks.running import hand_over
from worker import app as application
from worker.wiring import plug_in_from_settings, process_engine


def main() -> None:
    application.app.set_default()
    plug_in_from_settings()
    jobs = redis.Redis.from_url(BROKER_URL, socket_timeout=None)  # its usual 5 s would end a longer wait for a list
    threading.excepthook = _end
    say_ready()
    recording = _recorded(jobs)
    jobs.rpush(RECORDED, recording.ids[0])
    for _ in range(THREADS):
        threading.Thread(target=_work, args=(jobs, recording)).start()


def _end(failed: threading.ExceptHookArgs) -> None:
    """The whole process: an order that failed in one thread is never done."""
    traceback.print_exception(failed.exc_type, failed.exc_value, failed.exc_traceback)
    os._exit(1)


def _recorded(jobs: redis.Redis) -> Recording:
    """Two orders go through Prorata's own steps in this process, as in a worker. The first reads what a process reads once; the second is recorded."""
    hand_over.set_up(here=lambda _: True, show=lambda *_, **__: None)
    _through(_to_record(jobs))
    ids = _to_record(jobs)
    with record(process_engine()) as happened:
        _through(ids)
    if {isinstance(each, Call) for each in happened} != {True, False}:
        raise SystemExit("of the order that was recorded, statements or calls were not overheard")
    return Recording(ids, happened)


def _to_record(jobs: redis.Redis) -> list[str]:
    popped = jobs.blpop([TO_RECORD], timeout=PATIENCE)
    if popped is None:
        raise SystemExit(f"no order to record for {PATIENCE} s")
    return list(json.loads(popped[1]))


def _through(ids: list[str]) -> None:
    pipeline.TASKS[FORWARD[0]].apply((ids[0],), throw=True)


def _work(jobs: redis.Redis, recording: Recording) -> None:
    connection = psycopg.connect(PLAIN_URL, autocommit=True)
    while True:
        popped = jobs.blpop([JOBS], timeout=1)
        if popped is not None:
            ids = json.loads(popped[1])
            _again(connection, recording, ids)
            tell_done(ids[0])


def _again(connection: psycopg.Connection, recording: Recording, ids: list[str]) -> None:
    told = Retold(recording, ids)
    for each in recording.happened:
        if isinstance(each, Call):
            if ASKS_OUTSIDE:
                told.again(each)
        elif SAYS_STATEMENTS:
            _say(connection, told, each)


def _say(connection: psycopg.Connection, told: Retold, transaction: Transaction) -> None:
    with connection.transaction() if len(transaction) > 1 else nullcontext():
        for said in transaction:
            cursor = connection.execute(said.statement, told.parameters(said))
            if cursor.rownumber is not None:
                cursor.fetchall()


if __name__ == "__main__":
    main()
