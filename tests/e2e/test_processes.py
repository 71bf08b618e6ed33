"""Child processes: none outlives us, however we end; one that should live is started again; one that fails says why."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.messages import eventually
from worker.processes import Child, ChildFailed, NotReady, Supervisor, http_ok, log_says, reserve_port

FOREVER = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(600)"]
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
WITH_GRANDCHILDREN = """
import subprocess, sys, time
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
pids = [subprocess.Popen(sleeper).pid, subprocess.Popen(sleeper, start_new_session=True).pid]
print("grandchildren", *pids, flush=True)
time.sleep(600)
"""
PARENT = """
import signal, sys, time
from pathlib import Path
from worker.processes import Supervisor, log_says
# Whoever runs the tests may have them ignored (nohup, a shell's &), and what is ignored stays so in a child.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
with Supervisor(Path(sys.argv[1]), grace=1) as processes:
    child = processes.start("child", [sys.executable, "-c", sys.argv[2]], ready=log_says("grandchildren"))
    print(child.pid, *child.output().split()[1:], flush=True)
    time.sleep(600)
"""


@pytest.fixture
def processes(tmp_path: Path) -> Supervisor:
    return Supervisor(tmp_path, grace=30)


def gone(pids: list[int]) -> bool:
    return not any(lives(pid) for pid in pids)


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_leaving_stops_every_child_the_youngest_first(processes: Supervisor, tmp_path: Path) -> None:
    farewell = f"""
import signal, sys, time
def leave(*_):
    with open({str(tmp_path / "farewells")!r}, "a") as file:
        file.write(sys.argv[1] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
time.sleep(600)
"""
    with processes:
        for name in ("database", "api", "worker"):
            processes.start(name, [sys.executable, "-c", farewell, name], ready=log_says("ready"))
    assert (tmp_path / "farewells").read_text().split() == ["worker", "api", "database"]


def test_a_failure_stops_every_child_and_is_passed_on(processes: Supervisor) -> None:
    def demo() -> None:
        with processes:
            pids.append(processes.start("child", FOREVER, ready=log_says("ready")).pid or 0)
            raise ZeroDivisionError

    pids: list[int] = []
    with pytest.raises(ZeroDivisionError):
        demo()
    assert len(pids) == 1
    assert gone(pids)


def test_a_child_deaf_to_the_stop_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    with Supervisor(tmp_path, grace=0.3) as processes:
        child = processes.start("deaf", [sys.executable, "-c", STUBBORN], ready=log_says("ready"))
        began = time.monotonic()
    assert child.wait() == 128 + signal.SIGKILL
    assert time.monotonic() - began < Child.grace, "that is the usual one"


def test_stopping_a_child_takes_its_descendants_along(processes: Supervisor) -> None:
    with processes:
        child = processes.start("child", [sys.executable, "-c", WITH_GRANDCHILDREN], ready=log_says("grandchildren"))
        grandchildren = [int(pid) for pid in child.output().split()[1:]]
        assert not gone(grandchildren)
        processes.children["child"].stop()
        assert gone(grandchildren)


def test_killing_a_child_takes_its_descendants_along(processes: Supervisor) -> None:
    with processes:
        child = processes.start("child", [sys.executable, "-c", WITH_GRANDCHILDREN], ready=log_says("grandchildren"))
        grandchildren = [int(pid) for pid in child.output().split()[1:]]
        processes.kill("child")
        assert gone(grandchildren)
        assert child.wait() == 128 + signal.SIGKILL


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_no_child_outlives_its_parent(tmp_path: Path, end: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), WITH_GRANDCHILDREN],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    family = [int(pid) for pid in parent.stdout.readline().split()]
    family += [process.pid for process in psutil.Process(parent.pid).children()]
    assert len(family) == 4
    assert not gone(family)
    parent.send_signal(end)
    parent.wait(timeout=240)
    assert eventually(lambda: gone(family))


@pytest.mark.skipif(sys.platform != "linux", reason="a keeper's own violent death is seen on Linux only")
def test_no_child_outlives_its_keeper(processes: Supervisor) -> None:
    with processes:
        child = processes.start("child", FOREVER, ready=log_says("ready"))
        pid = child.pid
        assert pid is not None
        keeper = psutil.Process(pid).parent()
        assert keeper is not None
        keeper.kill()
        assert eventually(lambda: gone([pid]))


def test_a_child_that_dies_is_started_again(processes: Supervisor) -> None:
    with processes:
        child = processes.start("worker", FOREVER, ready=log_says("ready"), restart=True)
        first = child.pid
        processes.kill("worker")
        assert eventually(lambda: child.pid not in (None, first))
        assert child.running()
        assert "ended with status 137; starting it again in 0.2 s" in child.output()
        last = child.pid
    assert last is not None
    assert gone([last])


def test_a_child_between_two_starts_can_be_stopped(processes: Supervisor) -> None:
    with processes:
        child = processes.start("worker", FOREVER, ready=log_says("ready"), restart=True)
        child.kill()
        assert eventually(lambda: "starting it again" in child.output())
        child.stop()
        assert not child.running()


def test_a_child_that_ends_before_it_is_ready_shows_its_last_words(processes: Supervisor) -> None:
    broken = [sys.executable, "-c", "import sys; print('PRORATA_DATABASE_URL is missing'); sys.exit(3)"]
    with processes, pytest.raises(ChildFailed, match="PRORATA_DATABASE_URL is missing") as failure:
        processes.start("api", broken, ready=http_ok("http://127.0.0.1:9/healthz"))
    assert str(failure.value).startswith("api ended before it was ready (exit status 3)")


def test_a_worker_that_cannot_start_fails_at_once_though_it_would_be_restarted(processes: Supervisor) -> None:
    with processes, pytest.raises(ChildFailed, match="ended before it was ready"):
        processes.start("worker", [sys.executable, "-c", "raise SystemExit(1)"], ready=lambda _: False, restart=True)


def test_a_child_that_is_never_ready_is_stopped_at_the_deadline(processes: Supervisor) -> None:
    with processes, pytest.raises(NotReady, match=r"was not ready after 0\.3 s"):
        processes.start("api", FOREVER, ready=lambda _: False, deadline=0.3)
    assert not processes.children["api"].running()


def test_a_command_that_is_not_there_is_named(processes: Supervisor) -> None:
    with processes, pytest.raises(ChildFailed, match="cannot run no-such-program: No such file or directory"):
        processes.start("api", ["no-such-program"], ready=lambda _: False)


def test_a_child_answers_over_http_when_it_is_ready(processes: Supervisor) -> None:
    with processes:
        address = f"http://127.0.0.1:{(port := processes.port())}"
        ready = http_ok(f"{address}/")
        assert not ready(processes.start("silent", FOREVER))
        serve = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
        child = processes.start("api", serve, cwd=processes.folder, ready=ready)
        assert httpx.get(f"{address}/", timeout=240).status_code == httpx.codes.OK
        assert not http_ok(f"{address}/no-such-file")(child)


def test_a_one_off_returns_what_it_wrote(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os; print(os.environ['TO'])"]
    assert Child(name="migrate", command=command, folder=tmp_path, env={"TO": "head"}).run() == "head\n"


def test_a_one_off_that_fails_shows_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such revision')"]
    with pytest.raises(ChildFailed, match="no such revision"):
        Child(name="migrate", command=command, folder=tmp_path).run()


def test_who_ended_unasked_is_known(processes: Supervisor) -> None:
    with processes:
        fleeting = processes.start("fleeting", [sys.executable, "-c", ""], ready=lambda child: not child.running())
        processes.start("steady", FOREVER)
        processes.start("stopped", FOREVER).stop()
        assert not fleeting.running()
        assert [name for name, child in processes.children.items() if child.ended_by_itself()] == ["fleeting"]


def test_a_childs_log_survives_its_restart_but_only_the_last_run_is_quoted(processes: Supervisor) -> None:
    with processes:
        child = processes.start(
            "api", [sys.executable, "-c", "print('first')"], ready=lambda child: not child.running()
        )
        child.command = [sys.executable, "-c", "print('second')"]
        child.start(ready=lambda child: not child.running())
        assert child.tail() == ["second"]
        assert child.log.read_text() == "first\nsecond\n"


def test_two_reservations_never_share_a_port() -> None:
    reservations = [reserve_port() for _ in range(50)]
    try:
        assert len({reservation.port for reservation in reservations}) == 50
    finally:
        for reservation in reservations:
            reservation.release()


def test_a_port_reserved_by_another_process_is_not_given_out() -> None:
    hold = "from worker.processes import reserve_port as r; a = r(); print(a.port, flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    port = int(other.stdout.readline())
    with pytest.raises(OSError, match="no free port"):
        reserve_port([port])
    other.communicate(b"\n")
    reservation = reserve_port([port])
    reservation.release()
    assert reservation.port == port
