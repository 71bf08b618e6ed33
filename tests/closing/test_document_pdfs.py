"""An archive of documents: the PDFs that customers got, none of them overwritten."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.invoices import Invoice
from tests.invoices.documents import pdf
from tests.support.payment import refund
from tests.support.world import World, purchase
from worker.commands import failures
from worker.commands.documents import documents
from worker.commands.standard_output import NotWritten

NOVEMBER = ("--from", "2026-11-01", "--to", "2026-11-30")

pytestmark = pytest.mark.usefixtures("plugged_in")


def run(into: Path, *words: str) -> Result:
    return CliRunner().invoke(documents, ["pdf", *(words or NOVEMBER), "--into", str(into)])


def kept(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_each_document_issued_on_these_days_is_written_as_its_customer_got_it(world: World, tmp_path: Path) -> None:
    order = world.buy(world.customer(), purchase())
    refund(world, order.id)
    world.pass_time(days=30)
    world.buy(world.customer(), purchase())
    done = run(tmp_path / "archive" / "2026")
    assert (done.exit_code, done.stdout) == (0, f"2 written into {tmp_path}/archive/2026, 0 were there already.\n")
    november = [each for each in world.rows(Invoice) if each.issued_on.month == 11]
    assert kept(tmp_path / "archive" / "2026") == {f"{each.number}.pdf": pdf(world, each) for each in november}


def test_written_again_it_adds_what_is_new_and_leaves_the_rest(world: World, tmp_path: Path) -> None:
    world.buy(world.customer(), purchase())
    run(tmp_path)
    world.buy(world.customer(), purchase())
    done = run(tmp_path)
    assert (done.exit_code, done.stdout) == (0, f"1 written into {tmp_path}, 1 were there already.\n")
    assert sorted(kept(tmp_path)) == ["INV-2026-000001.pdf", "INV-2026-000002.pdf"]


def test_a_file_with_another_content_is_left_and_named_and_the_rest_is_written(world: World, tmp_path: Path) -> None:
    for _ in range(2):
        world.buy(world.customer(), purchase())
    (tmp_path / "INV-2026-000001.pdf").write_bytes(b"mine")
    done = run(tmp_path)
    assert done.exit_code == 1
    assert done.stderr == f"{tmp_path}/INV-2026-000001.pdf is there with another content, and was left as it is.\n"
    assert kept(tmp_path)["INV-2026-000001.pdf"] == b"mine"
    assert json.loads(run(tmp_path, *NOVEMBER, "--json").stdout) == {
        "written": [],
        "already_there": ["INV-2026-000002.pdf"],
        "differs": ["INV-2026-000001.pdf"],
    }


def test_a_folder_that_cannot_be_written_to_ends_with_status_3(world: World, tmp_path: Path) -> None:
    world.buy(world.customer(), purchase())
    into = tmp_path / ("n" * 200) / ("n" * 300)
    done = run(into)
    assert failures.run(lambda: raise_(done.exception)) == 3
    assert str(done.exception) == f"Not everything could be written into {into}: File name too long."


def test_folder_and_documents_are_for_their_owner_alone_whatever_the_umask(world: World, tmp_path: Path) -> None:
    world.buy(world.customer(), purchase())
    before = os.umask(0o022)
    try:
        run(tmp_path / "archive" / "2026")
    finally:
        os.umask(before)
    made = (tmp_path / "archive", tmp_path / "archive" / "2026", tmp_path / "archive" / "2026" / "INV-2026-000001.pdf")
    assert [oct(stat.S_IMODE(each.stat().st_mode)) for each in made] == ["0o700", "0o700", "0o600"]


def test_a_folder_that_is_there_keeps_its_permissions(world: World, tmp_path: Path) -> None:
    world.buy(world.customer(), purchase())
    tmp_path.chmod(0o750)
    assert run(tmp_path).exit_code == 0
    assert oct(stat.S_IMODE(tmp_path.stat().st_mode)) == "0o750"


@pytest.mark.parametrize("planted", [".INV-2026-000001.pdf.part", "INV-2026-000001.pdf"])
def test_nothing_is_written_where_a_planted_link_leads(world: World, tmp_path: Path, planted: str) -> None:
    world.buy(world.customer(), purchase())
    target, into = tmp_path / "target", tmp_path / "archive"
    target.write_bytes(b"mine")
    into.mkdir()
    (into / planted).symlink_to(target)
    run(into)
    assert target.read_bytes() == b"mine"


def test_a_link_that_leads_nowhere_counts_as_another_content(world: World, tmp_path: Path) -> None:
    world.buy(world.customer(), purchase())
    (tmp_path / "INV-2026-000001.pdf").symlink_to(tmp_path / "nowhere")
    done = run(tmp_path)
    assert done.exit_code == 1
    assert done.stderr == f"{tmp_path}/INV-2026-000001.pdf is there with another content, and was left as it is.\n"
    assert not (tmp_path / "nowhere").exists()
    assert [each.name for each in tmp_path.iterdir()] == ["INV-2026-000001.pdf"]


def raise_(error: BaseException | None) -> None:
    assert error is not None
    raise error


@pytest.mark.skipif(sys.platform != "linux", reason="nobody may make a folder in /sys, not even root")
def test_a_folder_that_this_user_may_not_write_to_says_what_to_do(world: World) -> None:
    done = run(Path("/sys/archive"))
    assert isinstance(done.exception, NotWritten)
    assert str(done.exception).endswith(
        ". Name a folder that this user may write to; a container sees no folder of its host unless one is given to it (docs/closing.md has the command)."
    )


def test_wrong_words_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run(tmp_path / "file").exit_code == 2
    assert run(tmp_path, "--from", "2026-11-02", "--to", "2026-11-01").exit_code == 2
