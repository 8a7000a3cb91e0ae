"""Starting, watching, killing and stopping the parts, with stand-ins for them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.system import LocalSystem, Options, PartDied, Ports, SystemFailed
from local.system.processes import children, descendants
from tests.local.system import standins
from tests.local.system.standins import StandIns


def options(folder: Path, **more: object) -> Options:
    return Options(ports=Ports.free(hosts=3), logs=folder, **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid: int, *, within: float = 5.0) -> bool:
    """Whether the process ends in time; a killed one takes a moment to be reaped."""
    deadline = time.monotonic() + within
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def no_longer_below(parent: int, child: int, *, within: float = 5.0) -> bool:
    """Whether a killed child ends in time although its parent may never collect it."""
    deadline = time.monotonic() + within
    while child in children(parent) and time.monotonic() < deadline:
        time.sleep(0.01)
    return child not in children(parent)


async def test_hosts_stop_before_what_they_need_and_azurite_last(tmp_path: Path) -> None:
    commands = StandIns(tmp_path)
    async with LocalSystem(options(tmp_path, hosts=2), commands=commands) as system:
        assert len(system.running_hosts()) == 2
        assert system.url == "http://127.0.0.1:1"
    ends = commands.ends()
    assert set(ends[:2]) == {"host-0", "host-1"}
    assert set(ends[2:4]) == {"cosmos", "ptu"}
    assert ends[4:] == ["azurite"]


async def test_a_part_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    commands = StandIns(tmp_path, cosmos=standins.DEAF)
    async with LocalSystem(options(tmp_path, part_grace_seconds=0.2), commands=commands) as system:
        pids = [part.pid for part in system.parts()]
    assert all(gone(pid) for pid in pids)


async def test_a_part_that_does_not_come_up_is_shown_with_its_last_words(tmp_path: Path) -> None:
    commands = StandIns(tmp_path, cosmos=standins.STILLBORN)
    with pytest.raises(PartDied, match=r"cosmos ended \(exit code 3\)(.|\n)*port 1 is taken"):
        async with LocalSystem(options(tmp_path), commands=commands):
            pytest.fail("it must not have started")
    assert all(gone(part.pid) for part in commands.handed_out if part.name != "host-0")


async def test_a_part_that_ends_by_itself_ends_the_run_at_once(tmp_path: Path) -> None:
    commands = StandIns(tmp_path, cosmos=standins.SHORT_LIVED)
    with pytest.raises(PartDied, match=r"cosmos ended(.|\n)*I give up"):
        async with LocalSystem(options(tmp_path), commands=commands) as system:
            await system.run(asyncio.sleep(60))


async def test_a_part_that_ended_unnoticed_is_reported_in_the_end(tmp_path: Path) -> None:
    commands = StandIns(tmp_path, cosmos=standins.SHORT_LIVED)
    with pytest.raises(PartDied, match="I give up"):
        async with LocalSystem(options(tmp_path), commands=commands) as system:
            await system.wait_failed()


async def test_a_further_host_may_have_other_settings(tmp_path: Path) -> None:
    commands = StandIns(tmp_path)
    async with LocalSystem(options(tmp_path), commands=commands) as system:
        await system.start_host(settings={"AzureWebJobs.sweep.Disabled": "true"})
        [folder] = commands.settings_written
        written = json.loads((folder / "local.settings.json").read_text())["Values"]
    assert written["AzureWebJobs.sweep.Disabled"] == "true"
    assert written["COSMOS_DATABASE"] == "ptu", "the others stay"


async def test_what_runs_inside_is_returned(tmp_path: Path) -> None:
    async with LocalSystem(options(tmp_path), commands=StandIns(tmp_path)) as system:
        assert await system.run(asyncio.sleep(0, result=7)) == 7


async def test_a_killed_host_takes_its_workers_along_and_is_no_failure(tmp_path: Path) -> None:
    commands = StandIns(tmp_path, host_0=standins.WITH_WORKER)
    async with LocalSystem(options(tmp_path), commands=commands) as system:
        listener = system.hosts[0].pid
        [worker] = children(listener)
        await system.kill_host(0)
        assert gone(listener)
        assert gone(worker)
        with pytest.raises(SystemFailed, match="no Functions host"):
            system.running_hosts()
        assert await system.start_host() == 1
        assert system.running_hosts() == [system.hosts[1]]


async def test_a_killed_worker_leaves_its_listener_running(tmp_path: Path) -> None:
    commands = StandIns(tmp_path, host_0=standins.WITH_WORKER)
    async with LocalSystem(options(tmp_path), commands=commands) as system:
        [worker] = await system.kill_worker(0)
        listener = system.hosts[0].pid
        assert no_longer_below(listener, worker)
        assert system.hosts[0].returncode is None


async def test_a_host_without_a_worker_has_none_to_kill(tmp_path: Path) -> None:
    async with LocalSystem(options(tmp_path), commands=StandIns(tmp_path)) as system:
        with pytest.raises(SystemFailed, match="host-0 has no worker"):
            await system.kill_worker(0)


async def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    chosen = options(tmp_path)
    with socket.create_server(("127.0.0.1", chosen.ports.cosmos)):
        commands = StandIns(tmp_path)
        with pytest.raises(
            SystemFailed, match=rf"port {chosen.ports.cosmos} \(Cosmos DB\).*--cosmos-port"
        ):
            async with LocalSystem(chosen, commands=commands):
                pytest.fail("it must not have started")
    assert commands.handed_out == []


async def test_the_port_of_a_host_to_come_is_looked_at_from_the_start(tmp_path: Path) -> None:
    chosen = options(tmp_path, further_hosts=1)
    system = LocalSystem(chosen, commands=StandIns(tmp_path))
    port = chosen.ports.host + 1
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(SystemFailed, match=f"port {port}"),
    ):
        await system.__aenter__()


async def test_two_systems_do_not_share_a_data_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with LocalSystem(options(tmp_path, data=data), commands=StandIns(tmp_path)):
        second = LocalSystem(options(tmp_path, data=data), commands=StandIns(tmp_path))
        with pytest.raises(SystemFailed, match="another local system is using"):
            await second.__aenter__()
    async with LocalSystem(options(tmp_path, data=data), commands=StandIns(tmp_path)):
        pass


async def test_starting_afresh_forgets_what_was_kept_and_nothing_else(tmp_path: Path) -> None:
    data = tmp_path / "data"
    kept, foreign = data / "cosmos" / "records", data / "letter.txt"
    kept.parent.mkdir(parents=True)
    kept.touch()
    foreign.touch()
    chosen = options(tmp_path, data=data, fresh=True)
    async with LocalSystem(chosen, commands=StandIns(tmp_path)):
        assert not kept.exists()
        assert foreign.exists()


SUPERVISED = """
import asyncio, signal, sys
from pathlib import Path
from local.system import LocalSystem, Options, Ports
from tests.local.system import standins

async def main(folder):
    commands = standins.StandIns(folder, host_0=standins.WITH_WORKER, cosmos=standins.DEAF)
    options = Options(ports=Ports.free(), logs=folder, part_grace_seconds=2)
    async with LocalSystem(options, commands=commands) as system:
        print(*(part.pid for part in system.parts()), flush=True)
        await system.run(asyncio.sleep(60))

# a shell that starts the tests in the background has them, and all below, ignore Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(main(Path(sys.argv[1])))
"""


WAYS = {"Ctrl-C stops them in order": signal.SIGINT}
if sys.platform == "linux":  # it takes PR_SET_PDEATHSIG
    WAYS["kill -9 takes them along"] = signal.SIGKILL


@pytest.mark.parametrize("how", WAYS.values(), ids=list(WAYS))
def test_nothing_outlives_the_supervisor(tmp_path: Path, how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISED, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(pid) for pid in supervisor.stdout.readline().split()]
        assert len(pids) == 4
        supervisor.send_signal(how)
        supervisor.wait(60)
    assert all(gone(pid) for pid in pids)
    if how is signal.SIGINT:
        assert StandIns(tmp_path).ends() == ["ptu", "azurite"], "of those that end in order"


async def test_descendants_are_found_at_any_depth() -> None:
    nested = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True); input()"
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", nested),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    )
    try:
        assert parent.stdout is not None
        grandchild = int(await asyncio.wait_for(parent.stdout.readline(), 60))
        assert children(parent.pid) == [grandchild]
        assert grandchild in descendants(os.getpid())
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        await parent.wait()
