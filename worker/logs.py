"""Logs as one JSON object a line, to standard error. Ids and outcomes only: no addresses, tokens, card data or email bodies."""

import logging
import select
import sys

import structlog

from worker import certificates


def _advise(_: object, __: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Libraries try again and again where a certificate is not trusted, and do not say what to do about it."""
    if advice := certificates.what_to_do(f"{entry.get('event')} {entry.get('exception', '')}"):
        entry["advice"] = advice
    return entry


_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    _advise,
]


def set_up_logging() -> None:
    """For structlog and for libraries that use `logging`; both end in the same lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    _leave_out_what_no_line_shows()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in (
        "alembic",
        "fontTools",
        "httpx",
        "httpcore",
        "stripe",
        "urllib3",
        "celery.app.trace",
        "celery.worker.strategy",
        "celery.beat",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def are_read(*, within: float) -> bool:
    """Whether standard error takes another line in so many seconds. If not, it is a full pipe that nobody reads: whoever logs waits."""
    return sys.__stderr__ is None or bool(select.select([], [sys.__stderr__], [], within)[1])


def _leave_out_what_no_line_shows() -> None:
    """The caller's place in the source, thread and process: half the cost of a line (Python's "Logging HOWTO", Optimization)."""
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
