"""Every way in which an engine says who it is, and a cluster: with the settings of the engine."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from deploy.machines import DEPLOY, Bus, free_ports, make_authority, make_secrets, nats_server
from lockstep import bus
from lockstep.bus.topology import missing, wanted
from lockstep.model.errors import ServerUnfit, Unavailable
from patience import patience

ACCOUNTS = (DEPLOY / "nats/accounts.conf").read_text()
ENGINE = "user: engine\n        password: $ENGINE_PASSWORD"
INBOX = "_INBOX_engine"


@asynccontextmanager
async def engine(servers: list[str], **settings: object) -> AsyncIterator[bus.Connection]:
    """Connect as an engine does when it starts, and make its streams."""
    made = bus.BusSettings(servers=servers, inbox_prefix=INBOX, **settings)
    connection = await bus.connect(made)
    try:
        await bus.prepare(connection)
        yield connection
    finally:
        await connection.close()


async def works(connection: bus.Connection) -> None:
    """It is let do what an engine does: make its streams, and publish."""
    assert await missing(connection) == []
    assert await bus.Publisher(connection).publish("lockstep.run.a.started", b"{}", {})


def tls_files(folder: Path) -> dict[str, Path]:
    """Make a CA and what tls.conf asks for."""
    make_authority(folder)
    return {"NATS_TLS_CERT": folder / "server.crt", "NATS_TLS_KEY": folder / "server.key"}


async def test_the_password_of_a_user_lets_the_engine_in_over_tls(tmp_path: Path) -> None:
    files = tls_files(tmp_path / "tls")
    async with nats_server(tmp_path / "bus", "tls.conf", files) as server:
        url = server.url.replace("nats://", "tls://")
        who = {"user": "engine", "password": server.passwords["nats_engine"]}
        async with engine([url], tls_ca_file=str(tmp_path / "tls/ca.crt"), **who) as connection:
            await works(connection)
        make_authority(tmp_path / "other")
        with pytest.raises(ServerUnfit, match=r"TLS with NATS at .* failed"):
            async with engine([url], tls_ca_file=str(tmp_path / "other/ca.crt"), **who):
                pass


async def test_a_server_may_ask_for_a_certificate_of_the_engine(tmp_path: Path) -> None:
    tls = tmp_path / "tls"
    files = tls_files(tls)
    config = (DEPLOY / "nats/tls.conf").read_text()
    # As its comments say.
    config = config.replace("# ca_file: /etc/nats/tls/ca.crt", f'ca_file: "{tls}/ca.crt"')
    config = config.replace("# verify: true", "verify: true")
    changed = tmp_path / "verify.conf"
    changed.write_text(config)
    async with nats_server(tmp_path / "bus", "verify.conf", files, more_files=[changed]) as server:
        ca, password = str(tls / "ca.crt"), server.passwords["nats_engine"]
        who = {"user": "engine", "password": password, "tls_ca_file": ca}
        shown = {"tls_cert_file": str(tls / "client.crt"), "tls_key_file": str(tls / "client.key")}
        async with engine([server.url], **who, **shown) as connection:
            await works(connection)
        with pytest.raises((ServerUnfit, Unavailable)):
            await bus.connect(
                bus.BusSettings(servers=[server.url], inbox_prefix=INBOX, **who), patience_seconds=0
            )


async def test_an_nkey_lets_the_engine_in(tmp_path: Path) -> None:
    identities = pytest.importorskip("deploy.identities", reason="needs the extra `nkeys`")
    key, stranger = identities.user(), identities.user()
    assert ENGINE in ACCOUNTS
    accounts = tmp_path / "accounts.conf"
    accounts.write_text(ACCOUNTS.replace(ENGINE, f"nkey: {key.public}"))
    (tmp_path / "seed").write_bytes(key.seed)
    (tmp_path / "other").write_bytes(stranger.seed)
    async with nats_server(tmp_path / "bus", more_files=[accounts]) as server:
        async with engine([server.url], nkey_seed_file=str(tmp_path / "seed")) as connection:
            await works(connection)
        with pytest.raises(ServerUnfit, match="refuses us"):
            async with engine([server.url], nkey_seed_file=str(tmp_path / "other")):
                pass


def rights_of_the_engine() -> dict[str, object]:
    """Take the rights out of accounts.conf, in the form of a token."""
    block = ACCOUNTS[ACCOUNTS.index("user: engine") : ACCOUNTS.index("exports:")]
    publish, subscribe = block[: block.index("subscribe {")], block[block.index("subscribe {") :]

    def subjects(text: str) -> list[str]:
        lines = (line.partition("#")[0] for line in text.splitlines())
        return [name for name in re.findall(r'"([^"]+)"', "\n".join(lines)) if name != "2m"]

    return {
        "pub": {"allow": subjects(publish)},
        "sub": {"allow": subjects(subscribe)},
        "resp": {"max": 1, "ttl": 120_000_000_000},
    }


async def test_a_credentials_file_lets_the_engine_in(tmp_path: Path) -> None:
    identities = pytest.importorskip("deploy.identities", reason="needs the extra `nkeys`")
    text, credentials, _ = identities.write_operator_mode(tmp_path, rights_of_the_engine())
    accounts = tmp_path / "accounts.conf"
    accounts.write_text(text)
    async with nats_server(tmp_path / "bus", more_files=[accounts]) as server:
        async with engine([server.url], credentials_file=str(credentials)) as connection:
            await works(connection)
        with pytest.raises(ServerUnfit, match="refuses us"):
            await bus.connect(bus.BusSettings(servers=[server.url], user="engine", password="x"))


async def test_a_cluster_of_three_keeps_three_copies_and_goes_on_without_one_of_them(
    tmp_path: Path,
) -> None:
    ports = free_ports(3)
    routes = {f"NATS_ROUTE_{i}": f"nats://127.0.0.1:{port}" for i, port in enumerate(ports, 1)}
    shared = make_secrets(tmp_path / "secrets")
    async with AsyncExitStack() as stack:
        servers: list[Bus] = []
        lone = AsyncExitStack()
        for number, port in enumerate(ports, 1):
            folder = tmp_path / f"n{number}"
            folder.mkdir()
            (folder / "secrets").symlink_to(tmp_path / "secrets")
            started = nats_server(
                folder, "cluster.conf", {**routes, "NATS_SERVER_NAME": f"n{number}"},
                words=("--cluster", f"nats://127.0.0.1:{port}"),
            )  # fmt: skip
            owner = lone if number == 3 else stack
            servers.append(await owner.enter_async_context(started))
        who = {"user": "engine", "password": shared["nats_engine"], "replicas": 3}
        async with lone, engine([one.url for one in servers[:2]], **who) as connection:
            await works(connection)
            assert {one["num_replicas"] for one in wanted(connection).streams} == {3}
            await lone.aclose()
            publisher = bus.Publisher(connection)
            async with patience():
                while True:  # where the lone one led a stream, another is elected
                    try:
                        assert await publisher.publish("lockstep.run.a.started", b"{}", {})
                        break
                    except Unavailable:
                        continue
