"""What a running stack tells a person: where its parts are, and what to type."""

import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from worker.commands.up import described
from worker.stack import Addresses
from worker.stack.running import Stack


def test_what_to_type_for_other_commands_stands_blanks_and_quotes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, programs = tmp_path / "Ada's data", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    program = programs / "prorata"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@" "$PRORATA_SELLER_NAME"')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    unused = cast(Any, None)
    stack = Stack(folder, unused, {"PRORATA_SELLER_NAME": "L'Étoile $HOME & Co"}, unused, unused, unused, unused)
    said = subprocess.run(["/bin/sh", "-c", stack.for_other_commands()], capture_output=True, text=True, check=False)
    assert (said.stdout, said.stderr) == ("orders|list|L'Étoile $HOME & Co|", "")
    assert (folder / "settings.env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("flower", [None, "http://127.0.0.1:5"])
def test_up_says_where_everything_is_and_how_the_shell_calls_the_api(tmp_path: Path, flower: str | None) -> None:
    api, stripe, vies, mailbox = (f"http://127.0.0.1:{port}" for port in range(1, 5))
    unused = cast(Any, None)
    stack = Stack(tmp_path, Addresses(api, stripe, vies, mailbox, flower), {}, unused, unused, unused, unused)
    lines = list(described(stack))
    assert [line.strip() for line in lines[: lines.index("For other commands, in another shell:")]] == [
        "API  http://127.0.0.1:1/openapi.json",
        "emails  http://127.0.0.1:4",
        "Stripe's books  http://127.0.0.1:2/_control/books",
        "VIES's questions  http://127.0.0.1:3/_control/requests",
        *(["Flower  http://127.0.0.1:5"] if flower else []),
        f"logs  {tmp_path}",
    ]
    assert "API=http://127.0.0.1:1" in lines
