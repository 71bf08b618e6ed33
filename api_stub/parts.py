"""What the application needs beside the steps' own wiring, made from the settings at start."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from api_stub import broker_check
from api_stub.edge.rate_limit import RateLimit
from worker import heap
from worker.environment import settings
from worker.logs import set_up_logging
from worker.relay import publish_pending
from worker.wiring import plug_in_from_settings


@dataclass(frozen=True, slots=True)
class Parts:
    rate_limit: RateLimit
    publish: Callable[[], int]
    require_broker: Callable[[], None]
    """raises what `broker_check.require_writes` does"""
    secure: bool
    """reached by HTTPS only, and browsers may be told so"""


def from_settings() -> Parts:
    """Plug in database, adapters and policy, and make the rest. Raises SettingsError."""
    chosen = settings()
    set_up_logging()
    plug_in_from_settings()
    import_module(
        "worker.messaging"
    )  # becomes the app that messages go out by; it reads the settings while it is imported
    broker = chosen.broker_url.get_secret_value()
    heap.freeze()
    return Parts(
        rate_limit=RateLimit(chosen.api_rate_limit, broker),
        publish=publish_pending,
        require_broker=lambda: broker_check.require_writes(broker),
        secure=str(chosen.public_url).startswith("https://"),
    )
