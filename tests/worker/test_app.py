"""What every process of ours can count on once it has imported the application."""

import os
import subprocess
import sys

SETTINGS = {
    "PRORATA_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none",
    "PRORATA_BROKER_URL": "redis://:secret@127.0.0.1:1/7",
    "PRORATA_STRIPE_API_KEY": "sk_test_none",
    "PRORATA_STRIPE_WEBHOOK_SECRET": "whsec_none",
    "PRORATA_SMTP_HOST": "127.0.0.1",
}


def output_of(program: str) -> list[str]:
    """In a process of its own: the application reads its settings while it is imported."""
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, env={**os.environ, **SETTINGS}, check=True, capture_output=True, text=True
    ).stdout.split()


def test_every_thread_publishes_to_the_broker_of_the_settings() -> None:
    program = """
import threading
import worker.app
from tasks.validate_cart import validate_cart
def say(): print(validate_cart.app.main, validate_cart.app.conf.broker_url)
say()
thread = threading.Thread(target=say); thread.start(); thread.join()
"""
    assert output_of(program) == ["prorata", "redis://:secret@127.0.0.1:1/7"] * 2


def test_a_process_with_a_database_knows_every_table() -> None:
    program = """
import worker.database
from models.base import Base
print(len([key for table in Base.metadata.sorted_tables for key in table.foreign_keys if key.column is not None]) > 20)
"""
    assert output_of(program) == ["True"]


def test_all_threads_have_one_result_backend() -> None:
    """It is loaded from files: at a thread's first task there may be no descriptor left."""
    program = """
import threading
from worker.app import app
seen = [app.backend]
thread = threading.Thread(target=lambda: seen.append(app.backend)); thread.start(); thread.join()
print(seen[0] is seen[1])
"""
    assert output_of(program) == ["True"]


def test_a_pool_of_threads_is_the_one_that_knows_how_many_are_at_work() -> None:
    program = """
import worker.app
from celery import concurrency
print(concurrency.get_implementation("threads").__module__)
"""
    assert output_of(program) == ["worker.thread_pool"]


def test_each_recurring_task_is_one_that_workers_know() -> None:
    """Beat sends them by name: it has imported none."""
    program = """
import sys
from worker.messaging import app
due = {entry["task"] for entry in app.conf.beat_schedule.values()}
print("tasks.sweep" in sys.modules, len(due) > 5)
import worker.app
print(*due - app.tasks.keys())
"""
    assert output_of(program) == ["False", "True"]
