"""Messages as they lie in Redis, and patience for what becomes of them."""

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4


def eventually(holds: Callable[[], bool], *, within: float = 240.0) -> bool:
    give_up_at = time.monotonic() + within
    while not holds():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.05)
    return True


def a_task(name: str, order_id: str) -> dict[str, Any]:
    """A message as Celery puts it into Redis."""
    body = [[order_id], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    return {
        "body": json.dumps(body),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": name, "id": str(uuid4()), "root_id": None, "parent_id": None, "group": None},
        "properties": {
            "correlation_id": str(uuid4()),
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "orders"},
            "priority": 0,
            "body_encoding": None,
            "delivery_tag": str(uuid4()),
        },
    }
