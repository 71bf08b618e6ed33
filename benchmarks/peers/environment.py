"""What a peer's process is told by its environment, and how peers without a database of their own say that an order is done."""

import os
import sys
from pathlib import Path

import redis

DATABASE_URL = os.environ.get("BENCH_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
PLAIN_URL = DATABASE_URL.replace("+psycopg", "")
"""as libpq wants it"""
UNLOGGED = "-c log_statement=none"
"""for the connection that only observes: where statements are counted, its own must not be"""
BROKER_URL = os.environ.get("BENCH_BROKER_URL", "redis://127.0.0.1:1/0")
FOLDER = Path(os.environ.get("BENCH_FOLDER", "."))

STEPS = (
    "validate_cart",
    "compute_proration",
    "collect_payment",
    "activate_subscription",
    "send_confirmation_email",
    "prompt_seat_assignment",
)

JOBS = "bench:floor"
"""a floor's Redis list of waiting orders"""
TO_RECORD = "bench:floor:first"
"""its list of orders for its processes to record"""
RECORDED = "bench:floor:recorded"
"""its list of orders recorded"""
PATIENCE = 60
"""seconds to wait at the last two lists"""
SAYS_STATEMENTS, ASKS_OUTSIDE = (os.environ.get(f"BENCH_FLOOR_{part}") == "1" for part in ("STATEMENTS", "OUTSIDE"))
"""what a floor replays for each waiting order"""
TOGETHER = int(os.environ.get("BENCH_FLOOR_TOGETHER", "1"))
"""for how many orders it replays a transaction at once, where as many wait"""
THREADS = int(os.environ.get("BENCH_THREADS", "1"))

_LIST = "bench:done"
_redis = redis.Redis.from_url(BROKER_URL)  # connects when first used


def tell_done(order_id: str) -> None:
    """The last step's one piece of work: a push to a list, a tenth of a millisecond."""
    _redis.rpush(_LIST, order_id)


def count_done() -> int:
    return int(_redis.llen(_LIST))


def say_ready(**_: object) -> None:
    """In a worker's log, once it can work."""
    sys.stderr.write("worker is ready.\n")
    sys.stderr.flush()
