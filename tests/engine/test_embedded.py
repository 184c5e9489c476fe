"""The embedded servers: what is left of them, and of their data, however they end."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from embedded_owner import read, write

from lockstep import embedded
from lockstep.embedded import Servers
from lockstep.model.errors import ServerUnfit, Unavailable
from patience import patience, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

NOBODY = 65534


def states() -> dict[int, tuple[int, str]]:
    """Return the parent and the state of every process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        found[int(folder.name)] = (int(words[1]), words[0])
    return found


def family(*roots: int) -> set[int]:
    """Return `roots` and all that descend from them."""
    parents = {pid: parent for pid, (parent, _) in states().items()}
    found: set[int] = set()
    more = set(roots)
    while more:
        found |= more
        more = {pid for pid, parent in parents.items() if parent in found} - found
    return found


def any_alive(pids: set[int]) -> bool:
    """Tell whether one runs; one that only waits for its parent to notice its end does not."""
    now = states()
    return any(pid in now and now[pid][1] != "Z" for pid in pids)


def environment() -> dict[str, str]:
    """Let any Python of this version find what this one finds."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@asynccontextmanager
async def owner(
    folder: Path,
    *,
    python: str = sys.executable,
    prefix: Sequence[str] = (),
    user: int | None = None,
) -> AsyncIterator[tuple[Process, dict[str, Any]]]:
    """Run another process that runs the servers, and hand out what it says of them."""
    process = await asyncio.create_subprocess_exec(
        *(*prefix, python, "-m", "embedded_owner", str(folder)),
        stdin=PIPE,
        stdout=PIPE,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        start_new_session=True,
        cwd="/",
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with patience():
            line = await process.stdout.readline()
        assert line, "it ended instead; its errors are above"
        yield process, json.loads(line)
    finally:
        process.stdin.close()
        async with patience():
            await process.wait()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder to be copied, which is quicker than to have one made each time."""
    folder = tmp_path_factory.mktemp("template")

    async def make() -> None:
        async with embedded.start(folder, ephemeral=True):
            pass

    asyncio.run(make())
    (folder / "nats" / "port").unlink()
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """Return a folder for this test alone."""
    return shutil.copytree(template, tmp_path / "lockstep")


@pytest.fixture
def open_folder(template: Path) -> Iterator[Path]:
    """Hand out a folder that lies where every user can go, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield shutil.copytree(template, path / "lockstep")


async def test_a_first_start_needs_nothing_and_a_stop_leaves_no_process(tmp_path: Path) -> None:
    """With the settings for data that must last."""
    folder = tmp_path / "new" / "lockstep"
    async with embedded.start(folder) as servers:
        processes = family(servers.nats.guard.pid, servers.postgres.guard.pid)
        assert {servers.nats.pid, servers.postgres.pid} < processes
        await write(servers)
        connection = await asyncpg.connect(servers.postgres_dsn)
        assert await connection.fetchval("show server_encoding") == "UTF8"
        assert await connection.fetchval("show fsync") == "on"
        assert await connection.fetchval("show listen_addresses") == ""
        await connection.close()
        assert servers.nats_url.startswith("nats://127.0.0.1:")
    assert not any_alive(processes)
    assert (folder / "postgres" / "data").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_the_servers_end_with_the_process_they_are_for_and_the_data_stays(
    number: signal.Signals, folder: Path
) -> None:
    """Killed, or interrupted as by Ctrl-C, which the whole process group gets."""
    async with owner(folder) as (process, said):
        processes = family(process.pid)
        assert processes > {*said["guards"], *said["servers"]}
        os.killpg(process.pid, number)
        async with patience():
            await process.wait()
        async with embedded.start(folder, ephemeral=True) as servers:
            assert not any_alive(processes), "the lock is free only when all have ended"
            assert (servers.nats_url, servers.postgres_dsn) == (said["url"], said["dsn"])
            assert await read(servers) == (1, 1)
    before = (folder / "postgres" / "log.old").read_text()
    assert "database system is shut down" in before, "they were not just killed"


async def test_a_start_after_everything_was_killed_recovers(folder: Path) -> None:
    """And the number of the old PostgreSQL has been given to another process, namely this one."""
    async with owner(folder) as (process, said):
        processes = family(process.pid)
        for guard in said["guards"]:
            os.kill(guard, signal.SIGSTOP)  # so that it cannot do anything about the rest
        for pid in (*said["servers"], *said["guards"], process.pid):
            os.kill(pid, signal.SIGKILL)
        await until(lambda: not any_alive(processes))
        pid_file = folder / "postgres" / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))
        async with embedded.start(folder, ephemeral=True) as servers:
            assert await read(servers) == (1, 1)


async def test_a_first_start_that_was_killed_in_the_middle_is_done_again(tmp_path: Path) -> None:
    """The data folder gets its name when all is in it."""
    data = tmp_path / "postgres" / "data"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "embedded_owner", str(tmp_path)),
        stdin=PIPE,
        stdout=PIPE,
        env=environment(),
    )
    await until((data.with_suffix(".new") / "PG_VERSION").exists)
    process.kill()
    await process.communicate()
    assert not data.exists()
    async with embedded.start(tmp_path, ephemeral=True) as servers:
        await write(servers)
        assert await read(servers) == (1, 1)


async def test_two_folders_work_side_by_side(folder: Path, tmp_path: Path) -> None:
    """Each has addresses of its own."""
    other = shutil.copytree(folder, tmp_path / "other")
    async with (
        embedded.start(folder, ephemeral=True) as one,
        embedded.start(other, ephemeral=True) as two,
    ):
        assert one.nats_url != two.nats_url
        assert one.postgres_dsn != two.postgres_dsn
        for servers in (one, two):
            await write(servers)
            assert await read(servers) == (1, 1)


async def test_a_folder_in_use_is_refused_with_the_name_of_its_user(folder: Path) -> None:
    """The limit is short here; it is there to let a killed user's servers end."""
    async with owner(folder) as (process, _):
        expected = f"{folder}.* is in use: .* process {process.pid} "
        with pytest.raises(Unavailable, match=expected):
            async with embedded.start(folder, lock_limit_seconds=0.1):
                pass


@pytest.mark.parametrize("name", ["nats", "postgres"])
async def test_a_killed_guard_takes_its_server_along_and_it_is_noticed(
    name: str, folder: Path
) -> None:
    """So nothing is left when somebody kills whatever looks odd to him."""
    async with embedded.start(folder, ephemeral=True) as servers:
        server = getattr(servers, name)
        processes = family(server.pid)
        os.kill(server.guard.pid, signal.SIGKILL)
        async with patience():
            error = await servers.wait_failed()
        await until(lambda: not any_alive(processes))
        assert f"the {server.name} ended unexpectedly: SIGKILL" in str(error)


async def test_a_server_that_died_comes_back_at_its_address_while_the_other_runs(
    folder: Path,
) -> None:
    """Each can be had alone, so that a test can kill and restart it."""
    async with embedded.postgres(folder, ephemeral=True) as postgres:
        async with embedded.nats(folder, ephemeral=True) as bus:
            before = Servers(nats=bus, postgres=postgres)
            await write(before)
            os.kill(bus.pid, signal.SIGKILL)
            async with patience():
                error = await before.wait_failed()
            assert "the embedded NATS server ended unexpectedly: SIGKILL" in str(error)
        async with embedded.nats(folder, ephemeral=True) as bus:
            after = Servers(nats=bus, postgres=postgres)
            assert after.nats_url == before.nats_url
            assert await read(after) == (1, 1)


async def test_a_port_that_somebody_else_has_taken_is_given_up(folder: Path) -> None:
    """Unless the caller insists on it: then the end of the log says what is wrong."""
    async with embedded.nats(folder) as bus:
        port = int(bus.address.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        async with embedded.nats(folder) as bus:
            assert bus.address != f"nats://127.0.0.1:{port}"
        with pytest.raises(ServerUnfit, match=r"did not start(?s:.*)address already in"):
            async with embedded.nats(folder, port=port):
                pass


async def test_cancelling_a_start_leaves_no_process(tmp_path: Path) -> None:
    """In the middle of initdb, and once more when both run."""
    before = family(os.getpid())  # other servers of this session are not ours
    for moment in ("postgres/data.new/PG_VERSION", "nats/port"):
        running = asyncio.create_task(hold_open(tmp_path))
        await until((tmp_path / moment).exists)
        processes = family(os.getpid()) - before
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await until(lambda: not any_alive(processes))  # noqa: B023 -- children of a killed initdb


async def hold_open(folder: Path) -> None:
    """Run the servers until cancelled."""
    async with embedded.start(folder, ephemeral=True):
        await asyncio.Event().wait()


async def test_a_folder_with_a_very_long_path_works(template: Path, tmp_path: Path) -> None:
    """A socket's path is limited to 107 bytes, so it lies elsewhere, and is gone at the end."""
    folder = shutil.copytree(template, tmp_path / ("long, 'ünd' \"ödd\" " * 10) / ("x" * 200))
    async with embedded.start(folder, ephemeral=True) as servers:
        await write(servers)
        assert await read(servers) == (1, 1)
        sockets = Path(servers.postgres_dsn.partition("host=")[2].partition("&")[0])
        assert sockets.stat().st_mode & 0o077 == 0
    assert not sockets.exists()


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@as_root
async def test_an_ordinary_user_can_run_them(open_folder: Path) -> None:
    """As most will."""
    await run_as(NOBODY, open_folder)
    for name in ("nats/store", "postgres/data"):
        assert (open_folder / name).stat().st_uid == NOBODY


@as_root
async def test_a_user_without_a_name_can_run_them(open_folder: Path) -> None:
    """As in a container with an arbitrary user; initdb would refuse, so it is not spared here."""
    nameless = 54329
    trial = ("setpriv", f"--reuid={nameless}", "--clear-groups", "unshare", "--user", "true")
    if shutil.which("setpriv") is None or subprocess.run(trial, check=False).returncode != 0:
        pytest.skip("it takes a user namespace, and there is none for ordinary users here")
    shutil.rmtree(open_folder / "postgres")
    await run_as(nameless, open_folder)


@as_root
async def test_root_can_use_the_folder_of_another_and_it_stays_his(open_folder: Path) -> None:
    """PostgreSQL runs as the owner then, who can go on with his data."""
    open_folder.chmod(0o700)
    chown(open_folder, NOBODY)
    async with embedded.start(open_folder, ephemeral=True) as servers:
        await write(servers)
        status = Path(f"/proc/{servers.postgres.pid}/status").read_text()
        assert f"Uid:\t{NOBODY}\t" in status
    data = open_folder / "postgres" / "data"
    assert {path.stat().st_uid for path in data.rglob("*")} == {NOBODY}


@as_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="there is no setpriv")
async def test_root_without_user_namespaces_can_run_them(tmp_path: Path) -> None:
    """As in a container. Without its right to set file capabilities, root cannot map itself."""
    inner = tmp_path / "only" / "root" / "comes" / "here"
    inner.mkdir(parents=True)
    (tmp_path / "only").chmod(0o700)
    kept = "-all,+chown,+dac_override,+fowner,+kill,+setgid,+setuid,+setpcap"
    prefix = ("setpriv", f"--bounding-set={kept}", "--inh-caps=-all", "--")
    async with owner(inner, prefix=prefix) as (process, said):
        processes = family(process.pid)
        _, postgres = said["servers"]
        assert f"Uid:\t{NOBODY}\t" in Path(f"/proc/{postgres}/status").read_text()
        _, postgres_guard = said["guards"]
        os.kill(postgres_guard, signal.SIGKILL)  # the tie to the guard outlives the change of user
        await until(lambda: not any_alive({postgres}))
        process.kill()
        await until(lambda: not any_alive(processes))
    async with embedded.start(inner, ephemeral=True) as servers:
        assert await read(servers) == (1, 1)


async def run_as(user: int, folder: Path) -> None:
    """Run and use the servers as `user`, who owns `folder`."""
    chown(folder, user)
    async with owner(folder, python=python_for(user), user=user) as (process, said):
        processes = family(process.pid)
        assert processes > {*said["guards"], *said["servers"]}
        process.kill()
        await until(lambda: not any_alive(processes))


def chown(folder: Path, user: int) -> None:
    """Give `folder` and all in it to `user`."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)


def python_for(user: int) -> str:
    """Return this Python, else that of the system, whichever `user` can run."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            trial = subprocess.run(
                [python, "-c", "import embedded_owner"],
                user=user,
                group=user,
                extra_groups=[],
                cwd="/",
                env=environment(),
                check=False,
            )
        except OSError:
            continue
        if trial.returncode == 0:
            return python
    pytest.skip(f"user {user} can reach no Python 3.{sys.version_info.minor} with the packages")
