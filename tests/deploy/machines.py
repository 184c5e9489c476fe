"""Servers set up with the very files of `deploy/`, as an operator would."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from urllib.parse import quote

import pytest

from lockstep.embedded import packages
from lockstep.embedded.lock import lock_folder
from lockstep.embedded.server import Command, finish, guarded, ready
from patience import LIMIT_SECONDS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
USERS = ("engine", "publisher", "ops", "operator", "provider")


def tool(name: str) -> str:
    """Find a program that `make install` brings where PyPI has it, else one of this machine."""
    installed = Path(sys.executable).with_name(name)
    found = str(installed) if installed.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not there: PyPI has it for Linux on x86-64 only")
    return found


@contextmanager
def environ(values: Mapping[str, object]) -> Iterator[None]:
    """Add to the environment that a server inherits."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in values.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def make_secrets(folder: Path) -> dict[str, str]:
    """Run the script of `deploy/`; give the passwords by their names."""
    subprocess.run([DEPLOY / "make-secrets.sh", folder], check=True, timeout=LIMIT_SECONDS)
    return {
        path.name: path.read_text().strip() for path in folder.iterdir() if "." not in path.name
    }


def make_authority(folder: Path) -> None:
    """Make a CA, and a certificate for 127.0.0.1 and localhost, with openssl."""
    folder.mkdir(parents=True, exist_ok=True)

    def openssl(*words: str) -> None:
        subprocess.run(
            ["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=LIMIT_SECONDS
        )

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    ca = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl(
        "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test CA", *ca
    )
    names = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    issued = ("-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE")
    for name in ("server", "client"):
        files = ("-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}")
        openssl("req", "-x509", *key, *files, *names, *issued)


@dataclass
class Bus:
    """A NATS server with the accounts of `deploy/nats`."""

    url: str
    passwords: Mapping[str, str]
    log: Path


@asynccontextmanager
async def nats_server(
    folder: Path,
    config: str = "nats.conf",
    more: Mapping[str, object] | None = None,
    *,
    more_files: Sequence[Path] = (),
    words: Sequence[str] = (),
) -> AsyncIterator[Bus]:
    """Start the server with a copy of `deploy/nats`, on loopback and any free port.

    `more` is for the environment, `more_files` are put beside the others or in their places.
    """
    home = folder / "nats"
    shutil.copytree(DEPLOY / "nats", home, ignore=shutil.ignore_patterns("secrets"))
    passwords = make_secrets(folder / "secrets")
    for file in more_files:
        shutil.copy(file, home / file.name)
    (home / "secrets").mkdir()
    accounts = (home / "accounts.conf").read_text()
    lines = (folder / "secrets/nats_passwords.conf").read_text().splitlines(keepends=True)
    used = [line for line in lines if f"${line.partition(':')[0]}" in accounts]
    (home / "secrets/passwords.conf").write_text("".join(used))
    variables = {"NATS_SERVER_NAME": "test", "NATS_STORE_DIR": home / "store", **(more or {})}
    command = Command(
        arguments=(
            *(str(packages.nats_server()), "--config", str(home / config)),
            *("--addr", "127.0.0.1", "--port", "-1", "--http_port", "-1"),
            *("--ports_file_dir", str(home)),
            *words,
        ),
        stop=Signals.SIGTERM,
        orphaned=Signals.SIGKILL,
    )
    log = home / "log"
    with environ(variables):
        async with lock_folder(home, 1) as lock, guarded(command, lock, log) as guard:
            url = await ready("NATS of deploy", guard, log, lambda: nats_url(home))
            yield Bus(url, passwords, log)


def nats_url(home: Path) -> str | None:
    """Read where a server listens from the file that it writes when it does."""
    for file in home.glob("*.ports"):
        try:
            ports = json.loads(file.read_text())
        except json.JSONDecodeError:
            return None
        return str(ports["nats"][0])
    return None


@dataclass
class Database:
    """A PostgreSQL server with the roles of `deploy/postgres`."""

    port: int
    passwords: Mapping[str, str]
    ca: Path
    programs: Path

    def dsn(
        self, role: str, *, password: bool = True, query: str = "", at: str = "localhost"
    ) -> str:
        """Give the address of the database for `owner`, `engine` or `reader`."""
        word = f":{quote(self.passwords[f'postgres_{role}'])}" if password else ""
        tls = f"sslmode=verify-full&sslrootcert={quote(str(self.ca))}"
        return f"postgresql://lockstep_{role}{word}@{at}:{self.port}/lockstep?{query or tls}"


@asynccontextmanager
async def postgres_server(folder: Path, programs: Path, port: int) -> AsyncIterator[Database]:
    """Start PostgreSQL with TLS and the files of `deploy/postgres`, and make the roles."""
    home = folder / "postgres"
    passwords = make_secrets(folder / "secrets")
    async with lock_folder(home, 1) as lock:
        data, log, tls = home / "data", home / "log", home / "tls"
        make_authority(tls)
        await initialised(programs, data, lock, log)
        _configure(data, tls, port)
        command = Command(
            arguments=(str(programs / "postgres"), "-D", str(data), "-k", str(data)),
            stop=Signals.SIGINT, orphaned=Signals.SIGQUIT, unprivileged=data,
        )  # fmt: skip
        async with guarded(command, lock, log) as guard:
            await ready("PostgreSQL of deploy", guard, log, lambda: accepting(data))
            make_roles(programs, data, port, folder / "secrets")
            yield Database(port, passwords, tls / "ca.crt", programs)


async def initialised(programs: Path, data: Path, lock: int, log: Path) -> None:
    """Make the data of a server."""
    data.mkdir(mode=0o700)
    words = (f"--pgdata={data}", "--username=postgres", "--auth=trust", "--no-sync")
    command = Command(
        arguments=(str(programs / "initdb"), *words, "--encoding=UTF8", "--locale=C"),
        stop=Signals.SIGKILL, orphaned=Signals.SIGKILL, unprivileged=data,
    )  # fmt: skip
    await finish("initdb", command, lock, log, LIMIT_SECONDS)


def _configure(data: Path, tls: Path, port: int) -> None:
    """Settings and rules of `deploy/postgres`; a superuser comes in by the socket without them."""
    owner = data.stat()
    for name in ("server.crt", "server.key"):
        shutil.copy(tls / name, data / name)
        (data / name).chmod(0o600)
        os.chown(data / name, owner.st_uid, owner.st_gid)
    rules = (DEPLOY / "postgres" / "pg_hba.conf").read_text()
    # `peer` would want the test to run as the user postgres.
    (data / "pg_hba.conf").write_text(f"local all postgres trust\n{rules}")
    ours = (DEPLOY / "postgres" / "lockstep.conf").read_text().replace("fsync = on", "fsync = off")
    here = f"port = {port}\nlisten_addresses = '127.0.0.1'\nssl = on\n"
    with (data / "postgresql.conf").open("a") as file:
        file.write(f"{ours}\n{here}")


def make_roles(programs: Path, sockets: Path, port: int, secrets: Path) -> None:
    """Run `roles.sql` as its first lines say."""
    names = {"OWNER": "owner", "ENGINE": "engine", "READER": "reader"}
    files = {f"{key}_PASSWORD_FILE": secrets / f"postgres_{name}" for key, name in names.items()}
    with environ({**files, "PGHOST": sockets, "PGPORT": port, "PGUSER": "postgres"}):
        subprocess.run(
            [programs / "psql", "--no-psqlrc", "--file", DEPLOY / "postgres/roles.sql", "postgres"],
            check=True, timeout=LIMIT_SECONDS,
        )  # fmt: skip


def accepting(data: Path) -> bool | None:
    """Whether a server has written that it takes connections; None until then."""
    file = data / "postmaster.pid"
    lines = file.read_text().splitlines() if file.exists() else []
    return True if len(lines) > 7 and lines[7].strip() == "ready" else None


def free_ports(number: int) -> list[int]:
    """Find ports that nobody has."""
    probes = [socket.socket() for _ in range(number)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
