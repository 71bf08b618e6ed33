"""Where what a command says goes may be full, closed, or lack letters: no traceback, and an exit status that tells."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from models.api_keys import ApiKey
from tests.support.command import SETTINGS, prorata_command
from tests.support.world import World

ADDRESS = "Musterstraße 1, 10115 Berlin"
FULL = Path("/dev/full")
FULL_DISK = "Not everything could be written: No space left on device.\n"
CLOSED = "Standard output is closed, and the key is shown nowhere else: none was issued.\n"


def run(command: list[str], *, to: int, **env: str) -> tuple[int, str, str]:
    ended = subprocess.run(
        command, env=os.environ | SETTINGS | env, stdout=to, stderr=subprocess.PIPE, check=False, timeout=240
    )
    return ended.returncode, (ended.stdout or b"").decode(), ended.stderr.decode()


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("word", ["settings", "--version", "--help"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_said_and_fails_the_command(word: str, unbuffered: str) -> None:
    with FULL.open("wb") as full:
        ended = run(prorata_command(word), to=full.fileno(), PYTHONUNBUFFERED=unbuffered)
    assert ended == (3, "", "Not everything could be written: No space left on device.\n")


@pytest.mark.parametrize("words", [["settings"], ["settings", "--json"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_is_told_from_bad_news(words: list[str], unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = run(prorata_command(*words), to=writer, PYTHONUNBUFFERED=unbuffered)
    os.close(writer)
    assert ended == (3, "", "")


@pytest.mark.parametrize(
    "ascii_only", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_letters_that_are_not_there_are_replaced(ascii_only: dict[str, str]) -> None:
    status, said, wrong = run(prorata_command("settings"), to=subprocess.PIPE, **ascii_only)
    assert (status, wrong) == (0, "")
    assert ADDRESS.replace("ß", "?") in said


def test_a_program_gets_them_all_the_same() -> None:
    program = f"from worker.commands.screen import print_json; print_json({ADDRESS!r})"
    status, said, _ = run([sys.executable, "-c", program], to=subprocess.PIPE, PYTHONIOENCODING="ascii")
    assert (status, json.loads(said)) == (0, ADDRESS)


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1", "utf-8"])
def test_a_spreadsheet_gets_utf_8_whatever_the_locale(encoding: str) -> None:
    cells = ["Łódź", "Müller", "Ελλάς"]
    program = (
        "from worker.commands.screen import print_csv; from worker.commands.standard_output import written\n"
        f"with written(): print_csv({cells!a}, [{cells!a}])"
    )
    status, said, wrong = run([sys.executable, "-c", program], to=subprocess.PIPE, PYTHONIOENCODING=encoding)
    assert (status, said, wrong) == (0, f"{','.join(cells)}\n" * 2, "")


@pytest.mark.parametrize(("where", "said"), [(">&-", CLOSED), ("> /dev/full", FULL_DISK)])
@pytest.mark.parametrize("how", ["", "--json"])
def test_a_key_that_nobody_can_see_is_not_issued(
    world: World, world_database_url: str, where: str, said: str, how: str
) -> None:
    world.customer(card=None)
    command = f"exec {shlex.join(prorata_command('keys', 'issue', 'shop', '--by', 'ops'))} {how} {where}"
    ended = run(["sh", "-c", command], to=subprocess.PIPE, PRORATA_DATABASE_URL=world_database_url)
    assert ended == (3, "", said)
    assert world.rows(ApiKey) == []
