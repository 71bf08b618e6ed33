"""One of the floor's two processes; see `benchmarks.peers.floor_load`."""

import json
import pickle
from contextlib import nullcontext

import psycopg
import redis

from benchmarks.peers.environment import BROKER_URL, JOBS, PLAIN_URL, RECORDING, say_ready
from benchmarks.recording import Recording, Retold


def main() -> None:
    jobs = redis.Redis.from_url(BROKER_URL)
    connection = psycopg.connect(PLAIN_URL, autocommit=True)
    say_ready()
    recording: Recording | None = None
    while True:
        popped = jobs.blpop([JOBS], timeout=1)
        if popped is None:
            continue
        recording = recording or pickle.loads(RECORDING.read_bytes())
        say_again(connection, recording, json.loads(popped[1]))


def say_again(connection: psycopg.Connection, recording: Recording, ids: list[str]) -> None:
    told = Retold(recording, ids)
    for transaction in recording.transactions:
        with connection.transaction() if len(transaction) > 1 else nullcontext():
            for statement, parameters in transaction:
                cursor = connection.execute(statement.encode(), told.parameters(parameters))
                if cursor.description:
                    cursor.fetchall()


if __name__ == "__main__":
    main()
