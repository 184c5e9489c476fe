"""`lockstep dev`, whole: what it was told holds, and its folder shows it."""

import asyncio
import urllib.request
from pathlib import Path

import pytest

from engine.shell import Shell, closed_port
from processes import dev_servers, environment, lockstep

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_dev_does_what_it_is_told_and_its_folder_shows_what_it_uses(tmp_path: Path) -> None:
    (tmp_path / "lockstep.toml").write_text("[engine]\nmax_walks = 7\n[nats]\nreplicas = 3\n")
    port = closed_port()
    env = environment(PROBES__PORT=port, NATS__PREFIX="mine")
    async with lockstep("dev", "--no-samples", env=env, cwd=tmp_path):
        servers = await dev_servers(tmp_path / ".lockstep")
        probe = f"http://127.0.0.1:{port}/livez"
        with await asyncio.to_thread(urllib.request.urlopen, probe) as answer:
            assert answer.status == 200
        other = Shell(tmp_path, {})
        shown = (await other.run("config", "--json")).json
        lines = (await other.run("config")).out.splitlines()
        # With its prefix and addresses, though this shell was told neither.
        assert (await other.run("runs", "list", "--json")).json["items"] == []
    note = str(tmp_path / ".lockstep" / "dev.json")
    assert shown["nats.servers"] == {"value": [servers["nats_url"]], "source": note}
    assert shown["nats.replicas"] == {"value": 1, "source": note}
    assert shown["engine.catalog"] == {"value": "open", "source": "lockstep dev"}
    assert shown["engine.max_walks"] == {"value": 7, "source": "lockstep.toml"}
    source = "lockstep dev, environment LOCKSTEP_PROBES__PORT"
    assert shown["probes.port"] == {"value": port, "source": source}
    (catalog,) = [line.split() for line in lines if line.startswith("engine.catalog")]
    assert catalog == ["engine.catalog", '"open"', "lockstep", "dev"]
