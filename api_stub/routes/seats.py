"""Who sits on a subscription's seats: one user at a time, or a CSV of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select

from api_stub import seat_file
from api_stub.access import subscription_of
from api_stub.auth import AccountsReader, SeatsWriter
from api_stub.edge.json_bodies import JsonRoute, require_unencoded
from api_stub.problems.details import Problem
from api_stub.problems.problem_types import refuses
from api_stub.schemas.paging import USUAL, After, Limit, page
from api_stub.schemas.subscriptions import BulkChanged, LineResult, SeatChanged, SeatsView, SeatView, SeatWanted
from models.subscriptions import SITS, SeatAssignment, assigned
from tasks.snapshot import begin_snapshot
from tasks.upstream import seats
from tasks.upstream.callers import Caller
from tasks.upstream.seats import SeatResult, SeatsRefused
from tasks.wiring import begin, now

router = APIRouter(prefix="/v1/subscriptions/{subscription_id}/seats", tags=["seats"], route_class=JsonRoute)

CSV = "text/csv"
_BY_TIME = (SeatAssignment.assigned_at, SeatAssignment.id)
"""times have whole seconds; ids rise within one"""


@router.get("", summary="Who has a seat")
def show_seats(subscription_id: UUID, caller: AccountsReader, after: After = None, limit: Limit = USUAL) -> SeatsView:
    """`assigned` counts all of them, whatever the page shows."""
    ever = select(SeatAssignment).where(SeatAssignment.subscription_id == subscription_id)
    with begin_snapshot() as session:
        subscription = subscription_of(session, caller, subscription_id)
        room = seats.left(session, subscription)
        now_on_one = ever.where(SITS)
        users, next_after = page(
            session, now_on_one, among=ever, by=_BY_TIME, descending=True, after=after, limit=limit
        )
        sitting = assigned(session, subscription_id)
    return SeatsView(
        seats=room.seats,
        limit=room.limit,
        lowered_by=room.cut_by,
        lowered_by_order_id=room.cut_by_id,
        assigned=sitting,
        users=[SeatView(email=user.user_email, assigned_at=user.assigned_at) for user in users],
        next_after=next_after,
    )


@router.post("/assign", summary="Give a user a seat", responses=refuses("not-active", "no-seat-left"))
def assign_seat(subscription_id: UUID, wanted: SeatWanted, caller: SeatsWriter) -> SeatChanged:
    """From then on the user can sign in. Assigning again changes nothing."""
    return _change_one(subscription_id, seats.assign, wanted, caller)


@router.post("/unassign", summary="Take a user's seat away")
def unassign_seat(subscription_id: UUID, wanted: SeatWanted, caller: SeatsWriter) -> SeatChanged:
    """The seat is free for another user. A user without a seat is left alone."""
    return _change_one(subscription_id, seats.unassign, wanted, caller)


async def csv_body(request: Request) -> bytes:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != CSV:
        raise Problem(415, "not-csv", f"Send the file as {CSV}.")
    require_unencoded(request)
    return await request.body()


@router.post(
    "/bulk",
    summary="Assign and unassign many users by CSV",
    responses=refuses("not-active", "no-seat-left", "not-csv", "seat-file-refused", "email-twice"),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": f"at most 1 MiB and {seats.MAX_CHANGES:,} changes (a blank line counts as one), UTF-8 (with or without a byte order mark), with the header `email,action`; the action is `assign` or `unassign`. Cells are separated by a comma, a semicolon or a tab, all by the one that the header has; empty cells behind the two, and a first line `sep=;`, are ignored",
            "content": {
                CSV: {
                    "schema": {"type": "string"},
                    "example": "email,action\r\nmia@customer.example,assign\r\nleo@customer.example,unassign\r\n",
                }
            },
        }
    },
)
def change_seats(
    subscription_id: UUID, caller: SeatsWriter, content: Annotated[bytes, Depends(csv_body)]
) -> BulkChanged:
    """All lines or none: the order of the lines does not matter, each user may be named once.

    A server works on two files at a time; another one is refused (`too-many-requests`), to be sent again after `Retry-After`."""
    with begin() as session:
        subscription_of(session, caller, subscription_id)  # nothing is said of a file for somebody else's
    with seat_file.turn():
        return _changed(subscription_id, caller, content)


def _changed(subscription_id: UUID, caller: Caller, content: bytes) -> BulkChanged:
    """What takes seconds, longer than a transaction may stand idle, is done between transactions."""
    rows = seat_file.read(content)
    unchecked = seat_file.unchecked(rows)
    with begin() as session, _naming(unchecked):
        subscription = subscription_of(session, caller, subscription_id)
        seats.refuse_overfull(session, subscription, [each.change for each in unchecked], now=now())
    lines = seat_file.checked(rows)
    with begin() as session:
        subscription = subscription_of(session, caller, subscription_id)
        with _naming(lines):
            results = seats.change(
                session, subscription_id=subscription_id, changes=[each.change for each in lines], now=now()
            )
        sitting = assigned(session, subscription_id)
    return BulkChanged(
        results=[
            LineResult(line=each.line, email=each.change.email, action=each.change.action, result=result)
            for each, result in zip(lines, results, strict=True)
        ],
        seats=subscription.seats,
        assigned=sitting,
    )


def _change_one(
    subscription_id: UUID, change: Callable[..., SeatResult], wanted: SeatWanted, caller: SeatsWriter
) -> SeatChanged:
    email = wanted.email.lower()
    with begin() as session:
        subscription = subscription_of(session, caller, subscription_id)
        result = change(session, subscription_id=subscription_id, email=email, now=now())
        return SeatChanged(
            email=email,
            result=result,
            seats=subscription.seats,
            assigned=assigned(session, subscription_id),
        )


@contextmanager
def _naming(lines: list[seat_file.SeatLine]) -> Iterator[None]:
    """What is refused of certain changes is answered with their lines."""
    try:
        yield
    except SeatsRefused as error:
        if not error.changes:
            raise
        facts: dict[str, Any] = dict(error.facts)
        raise Problem(
            409 if error.code == "no-seat-left" else 422,
            error.code,
            f"Nothing was changed. {error}",
            lines=[
                {"line": lines[index].line, "detail": str(error)} for index in error.changes[: seat_file.MOST_REPORTED]
            ],
            **facts,
        ) from error
