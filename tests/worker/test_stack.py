"""What a running stack tells a person to type."""

import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

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
