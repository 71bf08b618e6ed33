"""Seats by a file: all lines or none, each named that is wrong."""

import pytest
from sqlalchemy import text

from api_stub import seat_file
from tests.api.conftest import Api, Desk, problem
from tests.support import world as worlds
from tests.support.world import Customer, World


def test_a_file_is_answered_line_by_line(desk: Desk) -> None:
    desk.assign("old@x.example")
    answer = desk.upload("new@x.example,assign", "", "Old@x.example , unassign", "none@x.example,unassign")
    assert [(each["line"], each["email"], each["result"]) for each in answer.json()["results"]] == [
        (2, "new@x.example", "assigned"),
        (4, "old@x.example", "unassigned"),
        (5, "none@x.example", "not_assigned"),
    ]
    assert (answer.json()["assigned"], desk.users()) == (1, {"new@x.example"})


def test_a_file_may_swap_users_on_a_full_subscription(desk: Desk) -> None:
    for name in "abc":
        desk.assign(f"{name}@x.example")
    assert desk.upload("d@x.example,assign", "a@x.example,unassign").status_code == 200
    assert desk.users() == {"b@x.example", "c@x.example", "d@x.example"}


def test_a_file_with_more_users_than_seats_changes_nothing_and_names_the_lines(desk: Desk) -> None:
    desk.assign("a@x.example")
    answer = desk.upload("b@x.example,assign", "c@x.example,assign", "d@x.example,assign", "e@x.example,assign")
    assert problem(answer) == (409, "no-seat-left")
    assert [line["line"] for line in answer.json()["lines"]] == [4, 5]
    assert desk.users() == {"a@x.example"}


def test_every_bad_line_is_named_and_nothing_is_changed(desk: Desk) -> None:
    answer = desk.upload("a@x.example,assign", "nobody,assign", "b@x.example,promote", "c@x.example", "d@x.example,a,b")
    assert problem(answer) == (422, "seat-file-refused")
    assert [(each["line"], each["detail"]) for each in answer.json()["lines"]] == [
        (3, "not a valid email address"),
        (4, "the action must be assign or unassign"),
        (5, "two fields are needed, email and action; found 1"),
        (6, "two fields are needed, email and action; found 3"),
    ]
    assert desk.users() == set()


def test_a_user_named_twice_in_a_file_is_refused(desk: Desk) -> None:
    answer = desk.upload("a@x.example,assign", "b@x.example,assign", "A@x.example,unassign")
    assert problem(answer) == (422, "email-twice")
    assert [line["line"] for line in answer.json()["lines"]] == [2, 4]
    assert desk.users() == set()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the header must be email,action"),
        (b"email;action\n", "the header must be email,action"),
        (b"email,action\n", "there is nothing to do: the file has a header only"),
        (b"email,action\n\xff\xfe,assign\n", "the file must be UTF-8"),
        (b'email,action\n"a@x.example,assign\n', "this is not CSV: unexpected end of data"),
    ],
)
def test_what_is_no_such_file_is_refused(desk: Desk, content: bytes, says: str) -> None:
    answer = desk.api.post(f"{desk.path}/bulk", content=content, headers={"Content-Type": "text/csv"})
    assert problem(answer) == (422, "seat-file-refused")
    assert answer.json()["lines"][0]["detail"] == says


def test_of_more_users_than_can_sit_there_no_address_is_looked_at(desk: Desk) -> None:
    desk.assign("a@x.example")
    answer = desk.upload(*(f"nobody{n},assign" for n in range(4)), "a@x.example,unassign", "b@x.example", "\0,assign")
    assert problem(answer) == (409, "no-seat-left")
    assert [line["line"] for line in answer.json()["lines"]] == [5]
    assert desk.users() == {"a@x.example"}


def test_as_many_users_as_can_sit_there_are_looked_at(desk: Desk) -> None:
    answer = desk.upload(*(f"nobody{n},assign" for n in range(3)), "nobody3,unassign")
    assert problem(answer) == (422, "seat-file-refused")
    assert [line["line"] for line in answer.json()["lines"]] == [2, 3, 4, 5]


def test_whoever_sits_there_may_be_in_a_file_although_an_order_cuts_the_seats(
    world: World, api: Api, ada: Customer, desk: Desk
) -> None:
    for name in "abc":
        desk.assign(f"{name}@x.example")
    with world.begin() as session:
        session.execute(text("UPDATE subscriptions SET seats = 2"))
    answer = desk.upload(*(f"{name}@x.example,assign" for name in "abc"))
    assert [each["result"] for each in answer.json()["results"]] == ["already_assigned"] * 3
    assert problem(desk.upload(*(f"{name}@x.example,assign" for name in "abcd"))) == (409, "no-seat-left")


def test_one_user_in_more_lines_than_there_are_seats_is_named_twice(desk: Desk) -> None:
    assert problem(desk.upload(*["a@x.example,assign"] * 5)) == (422, "email-twice")
    names = [f"{name}@x.example,assign" for name in "abcde"]
    assert problem(desk.upload(*names, "A@x.example,unassign")) == (422, "email-twice")


def test_more_users_than_seats_on_an_ended_trial_are_told_that_it_has_ended(
    world: World, api: Api, ada: Customer, desk: Desk
) -> None:
    world.buy(ada, worlds.trial("chat", seats=2))
    desk.path = f"/v1/subscriptions/{world.subscription(ada, 'chat').id}/seats"
    world.pass_time(days=30)
    assert problem(desk.upload(*(f"{name}@x.example,assign" for name in "abc"))) == (409, "not-active")


def test_of_a_file_with_too_many_lines_no_address_is_looked_at(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seat_file, "MAX_CHANGES", 2)
    answer = desk.upload("nobody,unassign", "nobody,unassign", "", "nobody,unassign")
    assert problem(answer) == (422, "seat-file-refused")
    assert answer.json()["lines"] == [{"line": 5, "detail": "a file has at most 2 changes"}]


def test_a_file_s_addresses_are_checked_outside_any_transaction(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
    )
    open_meanwhile: list[int] = []
    checked = seat_file.checked

    def watched(rows: list[seat_file.Row]) -> list[seat_file.SeatLine]:
        with world.begin() as session:
            open_meanwhile.append(session.scalars(idle).one())
        return checked(rows)

    monkeypatch.setattr(seat_file, "checked", watched)
    assert desk.upload("a@x.example,assign").status_code == 200
    assert open_meanwhile == [0]


def test_nothing_is_said_of_a_file_for_a_subscription_of_somebody_else(world: World, api: Api, desk: Desk) -> None:
    api.use(world.customer())
    assert problem(desk.upload("nobody,assign")) == (404, "not-found")


def test_a_spreadsheets_byte_order_mark_is_no_obstacle(desk: Desk) -> None:
    assert desk.upload("a@x.example,assign", header="\ufeffEmail,Action").status_code == 200


def test_what_is_sent_as_something_else_is_not_read_as_csv(desk: Desk) -> None:
    assert problem(desk.upload("a@x.example,assign", media_type="application/json")) == (415, "not-csv")


def test_a_file_is_taken_up_to_a_mebibyte(desk: Desk) -> None:
    blank = "\r\n" * (512 * 1024 - 20)
    assert desk.upload("a@x.example,assign" + blank).status_code == 200
    assert problem(desk.upload("a@x.example,assign" + blank + "\r\n" * 20)) == (413, "body-too-large")
