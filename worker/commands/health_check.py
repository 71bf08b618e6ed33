"""`python -P -m worker.commands.health_check [NAME [SECONDS]]`: what `prorata worker-health` tells, for a fraction of its processor time.

A worker's container has a small share of the processors, and its health check takes from that. So this loads no Celery and no settings, and reads the
one that it needs itself.
"""

import os
import sys
from socket import gethostname

from redis.exceptions import RedisError

from worker import health
from worker.commands.exit_status import FAILED, NO_ANSWER, WRONGLY_ASKED

WITHIN = "30"
"""seconds; a worker with few processors to itself takes longer than one that a person asks"""


def main() -> int:
    """Returns the exit status. An error's text may have a part of the password: `prorata worker-health` says more."""
    name, within = [*sys.argv[1:], *("all", WITHIN)[len(sys.argv) - 1 :]]
    worker = f"{name}@{gethostname()}"
    try:
        with health.connected(os.environ.get("PRORATA_BROKER_URL", "")) as broker:
            healthy = health.sings(broker, worker, within=float(within))
    except ValueError:
        return _say("PRORATA_BROKER_URL is missing or wrong: `prorata settings` says why", WRONGLY_ASKED)
    except RedisError as error:
        return _say(f"{worker}: the broker does not answer ({type(error).__name__})", NO_ANSWER)
    return 0 if healthy else _say(f"{worker} took no message in {within} s", FAILED)


def _say(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
