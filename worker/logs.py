"""Logs as one JSON object a line, to standard error. Ids and outcomes only: no addresses, tokens, amounts of cards or bodies."""

import logging
import sys

import structlog

from worker import certificates


def _advise(_: object, __: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Libraries try again and again where a certificate is not trusted, and do not say what to do about it."""
    if advice := certificates.what_to_do(f"{entry.get('event')} {entry.get('exception', '')}"):
        entry["advice"] = advice
    return entry


_TOLD: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    _advise,
]
_AS_JSON = structlog.processors.JSONRenderer()


class _Writer(structlog.WriteLogger):
    def __init__(self, name: str) -> None:
        super().__init__(sys.stderr)
        self.name = name


def set_up_logging(level: int = logging.INFO) -> None:
    """For our own lines, which structlog writes by itself, and for libraries that use `logging`: both look the same.

    By way of `logging` a line of ours would take three times as long, and an order writes eight.
    """
    structlog.configure(
        processors=[*_TOLD, _AS_JSON],
        logger_factory=_Writer,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_TOLD,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _AS_JSON],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in (
        "httpx",
        "httpcore",
        "stripe",
        "urllib3",
        "celery.app.trace",
        "celery.worker.strategy",
        "celery.beat",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
