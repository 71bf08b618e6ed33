"""What others wrote is shown as they wrote it, at the end of a table's cell as in front of its markup."""

import pytest
from rich.console import Console

from worker.commands.screen import plain


@pytest.mark.parametrize("written", ["A\\", "A\\\\", "\\", "[bold]A[/bold]", "\\[bold]", "[A\\", "[A\\]", ""])
@pytest.mark.parametrize("around", ["{}", "[red]{}[/]", "{}[red]![/]"])
def test_no_letter_is_added_or_taken(written: str, around: str, capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=80).print(around.format(plain(written)))
    assert capsys.readouterr().out == around.format(written).replace("[red]", "").replace("[/]", "") + "\n"
