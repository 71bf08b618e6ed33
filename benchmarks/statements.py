"""What an order asks of PostgreSQL, counted by the server itself in a side run: the same for every peer, whatever it is written in.

While it writes every statement into its log it is slower, so nothing is timed here.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peer import Peer
from benchmarks.servers import Servers
from benchmarks.turn import started

ORDERS, WARM_UP = 20, 10

_LINE = re.compile(r" \[\d+\] (?P<database>\S+) LOG:  (?:statement|execute [^:]*): (?P<text>.*)")
_CONTROL = re.compile(r"BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET |DEALLOCATE|;", re.IGNORECASE)
"""`;` is a connection being looked at before it is used"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Per order. A round trip is anything sent and waited for, BEGIN and COMMIT too."""

    statements: float
    transactions: float
    round_trips: float


def count(peer: Peer, servers: Servers, folder: Path) -> Asked:
    return summary(texts(peer, servers, folder), ORDERS)


def texts(peer: Peer, servers: Servers, folder: Path) -> list[str]:
    """The first line of everything said while `ORDERS` orders went their way."""
    log = servers.postgres.child.log
    with started(peer, servers, folder, log_statements=True) as it:
        it.warm_up(WARM_UP)
        it.driver.prepare(ORDERS)
        begin = log.stat().st_size
        it.driver.burst(ORDERS)
        with log.open("rb") as written:
            written.seek(begin)
            lines = written.read().decode(errors="replace").splitlines()
    found = (_LINE.search(line) for line in lines)
    return [match["text"] for match in found if match and match["database"] == peer.name]


def summary(said: list[str], orders: int) -> Asked:
    kinds = Counter(bool(_CONTROL.match(text)) for text in said)
    commits = sum(text.upper().startswith("COMMIT") for text in said)
    return Asked(kinds[False] / orders, commits / orders, len(said) / orders)
