"""`python -m benchmarks.stack CODE FOLDER`: Prorata on servers of its own, measured when a line on its standard input says so.

`burst N ALONE` is answered by what the turn gave, as JSON; `versions` by those of its servers. CODE: the folder that Prorata is to come from.
"""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import worker
from benchmarks import servers
from benchmarks.contestants import PEERS
from benchmarks.driver import answering
from benchmarks.failures import MeasurementFailed
from benchmarks.turn import measured, started
from worker.processes import ChildFailed

WARM_UP = 200
"""orders, until every statement is prepared and every connection open"""


def main() -> None:
    try:
        obey(answering())
    except (MeasurementFailed, ChildFailed) as error:
        raise SystemExit(str(error)) from error


def obey(say: Callable[[object], None]) -> None:
    code, folder = (Path(each).resolve() for each in sys.argv[1:])
    found = Path(*worker.__path__).resolve()
    if found.parent != code:
        raise SystemExit(f"Prorata came from {found.parent}, not from {code}")
    with servers.running(folder / "servers") as own, started(PEERS["prorata"], own, folder / "prorata") as it:
        it.warm_up(WARM_UP)
        say("ready")
        for line in sys.stdin:
            if line.strip() == "versions":
                say(own.versions())
                continue
            orders, alone = (int(each) for each in line.split()[1:])
            say(asdict(measured(it, own, orders=orders, alone=alone)))


if __name__ == "__main__":
    main()
