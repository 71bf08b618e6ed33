"""Seats over HTTP and at once: never more users than seats, and in a file all lines or none."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import text

from api_stub import seat_file
from models.orders import Order
from models.subscriptions import SeatAssignment, assigned
from tests.api.conftest import Api, change, problem
from tests.support import world as worlds
from tests.support.world import Customer, World


class Desk:
    """A subscription with three seats."""

    def __init__(self, world: World, api: Api, customer: Customer) -> None:
        self.api, self.customer = api, customer
        world.buy(customer, worlds.purchase(seats=3))
        self.path = f"/v1/subscriptions/{world.subscription(customer, 'desk').id}/seats"

    def assign(self, user: str) -> tuple[int, str]:
        return self._change("assign", user)

    def unassign(self, user: str) -> tuple[int, str]:
        return self._change("unassign", user)

    def _change(self, action: str, user: str) -> tuple[int, str]:
        answer = self.api.post(f"{self.path}/{action}", {"email": user})
        return (200, answer.json()["result"]) if answer.status_code == 200 else problem(answer)

    def upload(self, *lines: str, header: str = "email,action", media_type: str = "text/csv") -> httpx.Response:
        content = "\r\n".join((header, *lines)) + "\r\n"
        return self.api.post(f"{self.path}/bulk", content=content.encode(), headers={"Content-Type": media_type})

    def users(self) -> set[str]:
        return {user["email"] for user in self.api.get(self.path).json()["users"]}


@pytest.fixture
def desk(world: World, api: Api, ada: Customer) -> Desk:
    return Desk(world, api, ada)


def test_assigning_twice_gives_one_seat_however_the_address_is_written(desk: Desk) -> None:
    assert desk.assign("Mia@customer.example") == (200, "assigned")
    assert desk.assign("mia@Customer.example") == (200, "already_assigned")
    assert desk.users() == {"mia@customer.example"}


def test_one_seat_is_no_seats(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, worlds.purchase("wiki", seats=1))
    path = f"/v1/subscriptions/{world.subscription(ada, 'wiki').id}/seats/assign"
    assert api.post(path, {"email": "a@x.example"}).status_code == 200
    detail = api.post(path, {"email": "b@x.example"}).json()["detail"]
    assert detail == "The subscription has 1 seat; 1 is assigned. Unassign somebody, or order more seats."


def test_unassigning_frees_the_seat_and_again_changes_nothing(desk: Desk) -> None:
    for user in ("a@x.example", "b@x.example", "c@x.example"):
        desk.assign(user)
    assert desk.assign("d@x.example") == (409, "no-seat-left")
    assert desk.unassign("a@x.example") == (200, "unassigned")
    assert desk.unassign("a@x.example") == (200, "not_assigned")
    assert desk.assign("d@x.example") == (200, "assigned")
    assert desk.users() == {"b@x.example", "c@x.example", "d@x.example"}


def test_a_user_sits_on_each_subscription_by_itself(world: World, ada: Customer, desk: Desk) -> None:
    world.buy(ada, worlds.purchase("chat"))
    world.assign(ada, "chat", "mia@x.example")
    assert desk.unassign("mia@x.example") == (200, "not_assigned")
    assert desk.assign("mia@x.example") == (200, "assigned")
    assert desk.unassign("mia@x.example") == (200, "unassigned")
    with world.begin() as session:
        assert assigned(session, world.subscription(ada, "chat").id) == 1


def test_who_comes_back_sits_there_anew_and_the_time_before_stays_as_it_was(world: World, desk: Desk) -> None:
    sat = []
    for _ in range(2):
        began = world.time
        desk.assign("mia@x.example")
        world.pass_time(hours=1)
        desk.unassign("mia@x.example")
        sat.append((began, world.time))
        world.pass_time(hours=1)
    rows = world.rows(SeatAssignment, user_email="mia@x.example")
    assert sorted((row.assigned_at, row.unassigned_at) for row in rows) == sat


def test_many_at_once_never_get_more_seats_than_there_are(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(desk.assign, (f"user{n}@x.example" for n in range(8))))
    assert sorted(answers) == [(200, "assigned")] * 3 + [(409, "no-seat-left")] * 5
    assert len(desk.users()) == 3


def test_the_same_user_assigned_at_once_gets_one_seat(desk: Desk) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(desk.assign, ["mia@x.example"] * 6))
    assert sorted(answers) == [(200, "already_assigned")] * 5 + [(200, "assigned")]


def test_while_an_order_cuts_the_seats_the_lower_number_counts(api: Api, ada: Customer, desk: Desk) -> None:
    desk.assign("a@x.example")
    order_id = api.order(ada, change(seats=1))
    assert desk.assign("b@x.example") == (409, "no-seat-left")
    shown = api.get(desk.path).json()
    number = api.get(f"/v1/orders/{order_id}").json()["number"]
    assert (shown["seats"], shown["limit"], shown["lowered_by"], shown["assigned"]) == (3, 1, number, 1)
    detail = api.post(f"{desk.path}/assign", {"email": "b@x.example"}).json()["detail"]
    assert f"which order {number} lowers to 1" in detail


def test_neither_another_account_s_order_nor_one_for_another_product_cuts_the_seats(
    world: World, ada: Customer, desk: Desk
) -> None:
    eve = world.customer()
    world.buy(eve, worlds.purchase(seats=3))
    world.place(eve, worlds.change(seats=1))
    world.place(ada, worlds.change(seats=4), worlds.purchase("chat", seats=1))
    assert [desk.assign(f"{name}@x.example") for name in "abc"] == [(200, "assigned")] * 3


def test_a_purchase_of_fewer_seats_after_the_period_has_ended_cuts_them_too(
    world: World, ada: Customer, desk: Desk
) -> None:
    world.pass_time(days=40)
    world.place(ada, worlds.purchase(seats=1))
    assert desk.assign("a@x.example") == (200, "assigned")
    assert desk.assign("b@x.example") == (409, "no-seat-left")


def test_once_the_order_that_cut_the_seats_is_gone_they_are_back(
    world: World, api: Api, ada: Customer, desk: Desk
) -> None:
    order_id = api.order(ada, change(seats=1))
    api.post(f"/v1/orders/{order_id}/cancel")
    world.run(next(row.id for row in world.rows(Order) if str(row.id) == order_id))
    assert [desk.assign(f"{name}@x.example") for name in "abc"] == [(200, "assigned")] * 3


def test_an_order_for_more_seats_gives_them_once_it_is_active(
    world: World, api: Api, ada: Customer, desk: Desk
) -> None:
    for name in "abc":
        desk.assign(f"{name}@x.example")
    order_id = api.order(ada, change(seats=4))
    assert desk.assign("d@x.example") == (409, "no-seat-left")
    world.run(next(row.id for row in world.rows(Order) if str(row.id) == order_id))
    assert desk.assign("d@x.example") == (200, "assigned")


def test_seats_of_an_ended_trial_cannot_be_assigned_but_unassigned(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, worlds.trial("chat", seats=2))
    path = f"/v1/subscriptions/{world.subscription(ada, 'chat').id}/seats"
    assert api.post(f"{path}/assign", {"email": "a@x.example"}).status_code == 200
    world.pass_time(days=30)
    assert problem(api.post(f"{path}/assign", {"email": "b@x.example"})) == (409, "not-active")
    assert api.post(f"{path}/unassign", {"email": "a@x.example"}).json()["result"] == "unassigned"


@pytest.mark.parametrize("email", ["", "mia", "mia@", "a@b@c.example", "mia@x.example\nBcc: eve@x.example", None, 7])
def test_what_is_no_address_gets_no_seat(desk: Desk, email: object) -> None:
    answer = desk.api.post(f"{desk.path}/assign", {"email": email})
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"][0]["pointer"] == "/email"


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
