"""Lists come page by page: at most `limit` at once, and the answer says what the next page comes after."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Query
from sqlalchemy import Select, SQLColumnExpression, tuple_
from sqlalchemy.orm import Session

from api_stub.problems.details import Problem
from api_stub.schemas.values import DIGITS

Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=100, description="at most this many per page"), DIGITS]
USUAL = 20
After = Annotated[UUID | None, Query(description="only what comes after this one: the `next_after` of the page before")]
NEXT_AFTER = "the `after` of the next page, null on the last"


def page(
    session: Session,
    query: Select[Row],
    *,
    by: Sequence[SQLColumnExpression[Any]],
    after: UUID | None,
    limit: int,
    among: Select[Row] | None = None,
    descending: bool = False,
) -> tuple[Sequence[Row], UUID | None]:
    """The rows that come after `after`, and the `after` of the next page, None where there is none. Raises Problem 422.

    by: what the rows are ordered by, and never changes; the last is their id. among: the rows that `after` may name, if more than `query` shows:
    also those that have left the list since, for example.
    """
    if after is not None:
        named = (query if among is None else among).where(by[-1] == after).with_only_columns(*by)
        last = session.execute(named).one_or_none()
        if last is None:
            raise _not_in_the_list()
        here, there = tuple_(*by), tuple_(*last)
        query = query.where(here < there if descending else here > there)
    order = [each.desc() for each in by] if descending else by
    found = session.execute(query.add_columns(by[-1]).order_by(*order).limit(limit + 1)).all()
    shown = found[:limit]
    return [row[0] for row in shown], shown[-1][1] if len(found) > limit else None


def _not_in_the_list() -> Problem:
    detail = "is not from this list; take the `next_after` of a page, or leave it out to start at the beginning"
    errors = [{"parameter": "after", "detail": detail}]
    return Problem(422, "invalid-request", "The request is not as it should be; see `errors`.", errors=errors)
