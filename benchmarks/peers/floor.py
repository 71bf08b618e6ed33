"""One of a floor's two processes; see `benchmarks.peers.floor_load`."""

import json
import os
import threading
import traceback
from contextlib import nullcontext

import psycopg
import redis

from benchmarks.overhearing import Call, Recording, Retold, Transaction, record
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
    TOGETHER,
    say_ready,
    tell_done,
)
from models.states import FORWARD
from tasks.running import in_process
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
    in_process.set_up(stays_here=lambda _: True, show=lambda *_, **__: None)
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
    application.app.tasks[FORWARD[0]].apply((ids[0],), throw=True)


def _work(jobs: redis.Redis, recording: Recording) -> None:
    connection = psycopg.connect(PLAIN_URL, autocommit=True)
    while True:
        popped = jobs.blpop([JOBS], timeout=1)
        if popped is not None:
            more = (jobs.lpop(JOBS, TOGETHER - 1) or []) if TOGETHER > 1 else []
            orders = [json.loads(each) for each in (popped[1], *more)]
            _again(connection, recording, orders)
            for ids in orders:
                tell_done(ids[0])


def _again(connection: psycopg.Connection, recording: Recording, orders: list[list[str]]) -> None:
    retold = [Retold(recording, ids) for ids in orders]
    for each in recording.happened:
        if isinstance(each, Call):
            for order in retold if ASKS_OUTSIDE else ():
                order.again(each)
        elif SAYS_STATEMENTS:
            _say(connection, retold, each)


def _say(connection: psycopg.Connection, orders: list[Retold], transaction: Transaction) -> None:
    """For several orders: one transaction, and each statement is sent for all of them before the first answer (psycopg's pipeline)."""
    several = len(orders) > 1
    with connection.transaction() if several or len(transaction) > 1 else nullcontext(), connection.cursor() as cursor:
        for said in transaction:
            if several:
                cursor.executemany(said.statement, [order.parameters(said) for order in orders], returning=True)
            else:
                cursor.execute(said.statement, orders[0].parameters(said))
            for result in cursor.results():
                if result.rownumber is not None:
                    result.fetchall()


if __name__ == "__main__":
    main()
