"""What others wrote is shown as they wrote it, at the end of a table's cell as in front of its markup; in CSV, it is never a formula."""

import csv
import io

import pytest
from rich.console import Console

from worker.commands.screen import plain, print_csv


@pytest.mark.parametrize("written", ["A\\", "A\\\\", "\\", "[bold]A[/bold]", "\\[bold]", "[A\\", "[A\\]", ""])
@pytest.mark.parametrize("around", ["{}", "[red]{}[/]", "{}[red]![/]"])
def test_no_letter_is_added_or_taken(written: str, around: str, capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=80).print(around.format(plain(written)))
    assert capsys.readouterr().out == around.format(written).replace("[red]", "").replace("[/]", "") + "\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("=1+1", "'=1+1"),
        ("Muster; Söhne", "Muster; Söhne"),
        ("Muster;=1+1", "Muster;'=1+1"),
        ("Muster;=1;+2; @x", "Muster;'=1;'+2; '@x"),
        ('Muster, Söhne;"=1+1"', 'Muster, Söhne;"\'=1+1"'),
        ("Muster|-1", "Muster|'-1"),
        (" \"' =1", "\"' '=1"),
        ("＝1;＋1", "'＝1;'＋1"),
        ("'=1", "''=1"),
        ("Meyer-Ost + Co. = a@b", "Meyer-Ost + Co. = a@b"),
        (-5, "-5"),
    ],
)
def test_no_text_begins_a_formula_at_whatever_a_spreadsheet_splits(
    capsys: pytest.CaptureFixture[str], text: object, told: str
) -> None:
    print_csv(["name"], [[text]])
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["name"], [told]]
