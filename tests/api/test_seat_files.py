"""Seats by a file: all lines or none, each named that is wrong."""

from typing import Any

import pytest
from email_validator import EmailNotValidError, ValidatedEmail, validate_email
from sqlalchemy import text

from api_stub import seat_file
from api_stub.problems.details import Problem
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


NOT_UTF_8 = "the file must be UTF-8; in a spreadsheet program, save it as CSV UTF-8"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the header must be email,action (separated by a comma, a semicolon or a tab)"),
        (b"email|action\n", "the header must be email,action (separated by a comma, a semicolon or a tab)"),
        (b"email,action\n", "there is nothing to do: the file has a header only"),
        ("email,action\nmüller@x.example,assign\n".encode("cp1252"), NOT_UTF_8),
        ("email\taction\na@x.example\tassign\n".encode("utf-16"), NOT_UTF_8),
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
    answer = desk.upload("nobody,unassign", "nobody,unassign", "nobody,unassign")
    assert problem(answer) == (422, "seat-file-refused")
    assert answer.json()["lines"] == [{"line": 4, "detail": "a file has at most 2 changes; a blank line counts as one"}]


def test_a_file_of_blank_lines_is_read_no_further_than_it_may_be_long(desk: Desk) -> None:
    answer = desk.upload(*[""] * 500_000)
    assert problem(answer) == (422, "seat-file-refused")
    detail = "a file has at most 20000 changes; a blank line counts as one"
    assert answer.json()["lines"] == [{"line": 20_002, "detail": detail}]


def test_as_many_changes_as_a_file_may_have_are_made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seat_file, "MAX_CHANGES", 2)
    answer = desk.upload("a@x.example,assign", "b@x.example,assign")
    assert (answer.status_code, desk.users()) == (200, {"a@x.example", "b@x.example"})


@pytest.mark.parametrize("takes_long", ["read", "checked"])
def test_a_file_is_read_and_its_addresses_are_checked_outside_any_transaction(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch, takes_long: str
) -> None:
    idle = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
    )
    open_meanwhile: list[int] = []
    work = getattr(seat_file, takes_long)

    def watched(given: Any) -> Any:
        with world.begin() as session:
            open_meanwhile.append(session.scalars(idle).one())
        return work(given)

    monkeypatch.setattr(seat_file, takes_long, watched)
    assert desk.upload("a@x.example,assign").status_code == 200
    assert open_meanwhile == [0]


def test_two_files_are_worked_on_at_a_time_and_the_next_is_told_to_come_back(desk: Desk) -> None:
    with seat_file.turn():
        assert desk.upload("a@x.example,assign").status_code == 200
        with seat_file.turn():
            answer = desk.upload("b@x.example,assign")
            assert problem(answer) == (429, "too-many-requests")
            assert answer.headers["retry-after"] == "5"
            assert desk.assign("c@x.example") == (200, "assigned")
    assert desk.upload("d@x.example,assign").status_code == 200
    assert desk.users() == {"a@x.example", "c@x.example", "d@x.example"}


def test_a_file_that_is_refused_gives_its_turn_back(desk: Desk) -> None:
    for _ in range(seat_file.AT_ONCE + 1):
        assert problem(desk.upload("nobody,assign")) == (422, "seat-file-refused")


def test_a_domain_is_looked_at_once_for_each_file(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []

    def watched(email: str, **options: Any) -> ValidatedEmail:
        looked_at.append(email.partition("@")[2])
        return validate_email(email, **options)

    monkeypatch.setattr(seat_file, "validate_email", watched)
    lines = [(number, [f"u{number}@münchen.example.com", "unassign"]) for number in range(2, 6)]
    assert [each.change.email for each in seat_file.checked(lines)] == [
        f"u{n}@münchen.example.com" for n in range(2, 6)
    ]
    assert looked_at.count("münchen.example.com") == 1


@pytest.mark.parametrize(
    "email",
    [
        "Zoë@MÜNCHEN.de",
        "zoe\u0308@münchen.de",
        "Postmaster@münchen.de",
        "a@b@münchen.de",
        "@münchen.de",
        "a..b@münchen.de",
        '"a b"@münchen.de',
        "Ada <a@münchen.de>",
        "a＠b@münchen.de",
        "l" * 64 + "@münchen.de",
        "l" * 65 + "@münchen.de",
        "l" * 20 + "@" + "ü.münchen.".join(["l" * 60] * 4),
        *("l" * length + "@" + "ü".join([("l" * 58 + ".") * 3, ".de"]) for length in range(58, 65)),
    ],
)
def test_an_address_counts_as_it_would_by_itself_where_its_domain_was_looked_at_before(email: str) -> None:
    try:
        by_itself = [validate_email(email, check_deliverability=False).normalized.lower()]
    except EmailNotValidError:
        by_itself = []
    first = "first@" + email.rpartition("@")[2]
    rows = [(2, [first, "assign"]), (3, [email, "assign"])]
    if by_itself:
        assert [each.change.email for each in seat_file.checked(rows)[1:]] == by_itself
        return
    with pytest.raises(Problem) as refused:
        seat_file.checked(rows)
    assert refused.value.members["lines"][-1] == {"line": 3, "detail": "not a valid email address"}


def test_nothing_is_said_of_a_file_for_a_subscription_of_somebody_else(world: World, api: Api, desk: Desk) -> None:
    api.use(world.customer())
    assert problem(desk.upload("nobody,assign")) == (404, "not-found")


def test_a_spreadsheets_byte_order_mark_is_no_obstacle(desk: Desk) -> None:
    assert desk.upload("a@x.example,assign", header="\ufeffEmail,Action").status_code == 200


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_a_file_is_read_as_spreadsheets_of_any_country_save_it(desk: Desk, separator: str) -> None:
    def saved(*cells: str) -> str:
        return separator.join((*cells, "", ""))

    answer = desk.upload(
        saved("a@x.example", "assign"), saved("b@x.example", "assign"), saved(""), header=saved("\ufeffemail", "action")
    )
    assert [each["line"] for each in answer.json()["results"]] == [2, 3]
    assert desk.users() == {"a@x.example", "b@x.example"}


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_a_line_that_tells_excel_what_separates_cells_is_counted_and_left_out(desk: Desk, separator: str) -> None:
    header = f"sep={separator}\r\nemail{separator}action"
    answer = desk.upload(f"a@x.example{separator}assign", header=header)
    assert [(each["line"], each["email"]) for each in answer.json()["results"]] == [(3, "a@x.example")]
    answer = desk.upload(f"a@x.example{separator}promote", f"b@x.example{separator}", header=header)
    assert answer.json()["lines"] == [
        {"line": number, "detail": "the action must be assign or unassign"} for number in (3, 4)
    ]


def test_cells_are_separated_by_what_the_header_has(desk: Desk) -> None:
    answer = desk.upload("a@x.example,assign", header="email;action")
    assert answer.json()["lines"] == [{"line": 2, "detail": "two fields are needed, email and action; found 1"}]


def test_what_is_sent_as_something_else_is_not_read_as_csv(desk: Desk) -> None:
    assert problem(desk.upload("a@x.example,assign", media_type="application/json")) == (415, "not-csv")


def test_a_file_is_taken_up_to_a_mebibyte(desk: Desk) -> None:
    start, line = "email,action\r\n", "u{}@x.example" + " " * 1000 + ",unassign\r\n"
    lines = "".join(line.format(number) for number in range(1000))
    blank = " " * (1024 * 1024 - len((start + lines).encode()))

    def send(content: str) -> Any:
        return desk.api.post(f"{desk.path}/bulk", content=content, headers={"Content-Type": "text/csv"})

    assert send(start + lines + blank).status_code == 200
    assert problem(send(start + lines + blank + " ")) == (413, "body-too-large")
