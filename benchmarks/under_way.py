"""Prorata's orders that have been sent and are not done yet."""

from collections.abc import Collection, Iterable
from itertools import islice
from uuid import UUID

import psycopg

from benchmarks.failures import OrderEndedOtherwise
from models.states import OrderStatus

AT_A_LOOK = 50
"""orders"""


class UnderWay:
    """known_by: the column of `orders` by which they are found. at_work, ends: statuses in which an order is waited for, and is done."""

    def __init__(
        self,
        watching: psycopg.Connection,
        *,
        known_by: str = "id",
        at_work: Collection[OrderStatus] = (OrderStatus.OPEN,),
        ends: Collection[OrderStatus] = (OrderStatus.COMPLETED,),
    ) -> None:
        self._watching = watching
        self._query = (
            f"SELECT {known_by}, number, status, reason FROM orders WHERE {known_by} = ANY(%s) AND status <> ALL(%s)"
        ).encode()
        self._at_work = [status.value for status in at_work]
        self._ends = {status.value for status in ends}
        self._ids: dict[UUID, None] = {}
        self._done = 0

    def add(self, ids: Iterable[UUID]) -> None:
        self._ids.update(dict.fromkeys(ids))

    def done(self) -> int:
        """How many are done so far. Raises OrderEndedOtherwise.

        Looks only at the oldest of those under way, which arrive first: however many there are, looking costs what it costs other peers.
        """
        while looked_at := list(islice(self._ids, AT_A_LOOK)):
            arrived = self._watching.execute(self._query, [looked_at, self._at_work]).fetchall()
            for each, number, status, reason in arrived:
                if status not in self._ends:
                    raise OrderEndedOtherwise(f"order {number} ended {status} ({reason}), not {self._expected()}")
                del self._ids[each]
            self._done += len(arrived)
            if len(arrived) < len(looked_at):
                break
        return self._done

    def _expected(self) -> str:
        return " or ".join(sorted(self._ends))
