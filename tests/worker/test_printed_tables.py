"""Tables for people: no word is broken and nothing is cut, at a terminal of any width and in a file."""

from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from tests.support.command import SETTINGS, Command, prorata_at_a_terminal
from tests.support.world import World, change, purchase
from worker import printed_tables
from worker.printed_tables import Column, Rows

ID = "01a22579-1f32-72a0-9d4d-7c98170533f1"
NAMED = (Column("id"), Column("name"), Column("net", right=True, spare=True), Column("due", right=True), Column(""))


def seen(columns: int | None, *rows: tuple[str, ...]) -> list[str]:
    """columns: of a terminal; None: in a file."""
    written = StringIO()
    Console(file=written, force_terminal=columns is not None, width=columns or 100_000, no_color=True).print(
        Rows(NAMED, rows)
    )
    return [line.rstrip() for line in written.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()]


def test_a_row_is_a_line_where_there_is_room() -> None:
    assert seen(80, (ID, "A name of words", "1.00", "2.00", "EUR")) == [
        "id                                    name              net   due",
        f"{ID}  A name of words  1.00  2.00  EUR",
    ]


def test_what_can_be_spared_goes_first_then_lines_are_folded_between_words() -> None:
    assert seen(55, (ID, "A name of words", "1.00", "2.00", "EUR")) == [
        "id                                    name     due",
        f"{ID}  A name  2.00  EUR",
        "                                      of",
        "                                      words",
    ]


def test_where_words_have_no_room_each_cell_has_a_line() -> None:
    assert seen(45, (ID, "A name of words", "1.00", "2.00", "EUR"), (ID, "", "", "3.00", "EUR")) == [
        f"id    {ID}",
        "name  A name of words",
        "net   1.00",
        "due   2.00 EUR",
        "",
        f"id    {ID}",
        "due   3.00 EUR",
    ]


def test_in_a_file_a_row_with_a_long_word_is_still_a_line() -> None:
    word = "x" * 300
    [_, line] = seen(None, (ID, word, "1.00", "2.00", "EUR"))
    assert line == f"{ID}  {word}  1.00  2.00  EUR"


@pytest.mark.parametrize("columns", [80, 45, None], ids=["a row a line", "a cell a line", "in a file"])
def test_a_name_with_a_word_between_colons_is_no_picture(columns: int | None) -> None:
    assert "erp:germany:prod" in " ".join(seen(columns, (ID, "erp:germany:prod", "1.00", "2.00", "EUR"))).split()


def test_in_a_file_a_table_is_what_rich_makes_of_it() -> None:
    rows = [
        (ID, "A name of words " * 12, "1.00", "−2.00", "EUR"),
        (ID, r"[bold]Söhne[/] \[x] " + "日本 " * 60, "", "1,234.00", ""),
        ("", "", "", "", ""),
    ]
    as_text = [[Text.from_markup(cell) for cell in row] for row in rows]
    widths = printed_tables._widths(NAMED, [[cell.plain for cell in row] for row in as_text])
    assert widths is not None
    printed = []
    for table in (Rows(NAMED, rows), printed_tables._table(NAMED, as_text, widths)):
        written = StringIO()
        Console(file=written, width=100_000).print(table)
        printed.append(written.getvalue())
    assert printed[0] == printed[1]
    assert len(printed[0].splitlines()) > len(rows) + 1, "some cells are folded"


@pytest.mark.parametrize("columns", [170, 60, None])
def test_keys_and_customers_are_shown_by_the_names_they_have(
    world: World, world_database_url: str, prorata: Command, columns: int | None
) -> None:
    name = "erp:germany:prod"
    customer = world.customer(name=name)
    chosen = SETTINGS | {"PRORATA_DATABASE_URL": world_database_url}
    assert prorata("keys", "issue", name, "--scope=orders:read", "--by=:bug:", **chosen).status == 0
    wanted = {
        ("keys", "list"): {name},
        ("keys", "show", name): {name, ":bug:"},
        ("accounts", "list"): {name},
        ("ledger", "show", str(customer.account_id)): {name},
    }
    for words, names in wanted.items():
        said = prorata(*words, **chosen).out if columns is None else prorata_at_a_terminal(columns, *words, **chosen)
        assert names <= set(said.split()), words


@pytest.mark.parametrize("columns", [60, None])
def test_ids_numbers_statuses_and_keys_are_whole(
    world: World, world_database_url: str, prorata: Command, columns: int | None
) -> None:
    ada = world.customer(name="A very long name " * 5)
    order = world.buy(ada, purchase("desk", seats=10))
    world.pass_time(days=15)
    credited = world.buy(ada, change("desk", seats=1))
    chosen = SETTINGS | {"PRORATA_DATABASE_URL": world_database_url}

    def says(*words: str) -> list[str]:
        if columns is None:
            return prorata(*words, **chosen).out.split()
        return prorata_at_a_terminal(columns, *words, **chosen).split()

    assert {str(ada.account_id), str(ada.contact_id)} <= set(says("accounts", "list", "very long"))
    assert {str(order.number), "completed", "EUR"} <= set(says("orders", "list"))
    told = says("orders", "show", str(order.number))
    assert {str(order.id), f"order:{order.id}:charge:1", "collect_payment.done"} <= set(told)
    moved = says("ledger", "show", str(ada.account_id))
    assert {f"order:{credited.id}:credit", "activate_subscription", "47.60"} <= set(moved)
