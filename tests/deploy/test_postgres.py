"""The roles of `deploy/postgres`: who may do what, over TLS and with passwords."""

import asyncio
import json
import ssl
import sys
from pathlib import Path

import asyncpg
import pytest

from deploy.machines import DEPLOY, Database, make_authority, make_roles
from patience import LIMIT_SECONDS
from processes import environment

DENIED = asyncpg.InsufficientPrivilegeError


async def command(*words: str, cwd: Path, **settings: object) -> tuple[int, str, str]:
    """Run `lockstep` to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", *words, env=environment(**settings), cwd=cwd,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
async def migrated(database: Database, tmp_path: Path) -> Database:
    """The schema is there, made by `lockstep db migrate` as the owner."""
    code, _, err = await command("db", "migrate", cwd=tmp_path, POSTGRES__DSN=database.dsn("owner"))
    assert code == 0, err
    return database


async def test_the_owner_migrates_and_the_engine_finds_the_schema_complete(
    migrated: Database, tmp_path: Path
) -> None:
    code, out, err = await command(
        "db", "status", "--json", cwd=tmp_path, POSTGRES__DSN=migrated.dsn("engine")
    )
    assert (code, json.loads(out)["missing"]) == (0, []), err


async def test_the_engine_is_refused_all_ddl(migrated: Database) -> None:
    connection = await asyncpg.connect(migrated.dsn("engine"))
    try:
        for statement in (
            "create table mine (id int)",
            "create temporary table mine (id int)",
            "create schema mine",
            "alter table runs add column mine int",
            "create index on runs (id)",
            "drop table runs",
            "truncate runs",
            "create function mine() returns int language sql as 'select 1'",
            "create extension pg_trgm",
            "create role mine",
            "create database mine",
            "alter system set fsync = off",
            "set role lockstep_owner",
            "copy runs to program 'cat'",
        ):
            with pytest.raises((DENIED, asyncpg.InvalidParameterValueError)):
                await connection.execute(statement)
        assert await connection.fetchval("select count(*) from runs") == 0
    finally:
        await connection.close()


async def test_the_reader_reads_and_writes_nothing(migrated: Database) -> None:
    connection = await asyncpg.connect(migrated.dsn("reader"))
    try:
        assert await connection.fetchval("select count(*) from runs") == 0
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("delete from runs")
        await connection.execute("set default_transaction_read_only = off")
        for statement in ("delete from runs", "create table mine (id int)"):
            with pytest.raises(DENIED):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_table_of_a_later_migration_is_open_to_the_engine_at_once(
    migrated: Database,
) -> None:
    owner = await asyncpg.connect(migrated.dsn("owner"))
    engine = await asyncpg.connect(migrated.dsn("engine"))
    try:
        await owner.execute("create table later (id bigserial primary key)")
        await engine.execute("insert into later default values")
        assert await engine.fetchval("delete from later returning id") == 1
    finally:
        await owner.execute("drop table if exists later")
        await owner.close()
        await engine.close()


async def test_the_roles_may_be_made_again_and_get_the_passwords_of_the_files(
    migrated: Database, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for role in ("owner", "engine", "reader"):
        (secrets / f"postgres_{role}").write_text(migrated.passwords[f"postgres_{role}"] + "\n")
    (secrets / "postgres_reader").write_text("ano'ther\n")
    data = migrated.ca.parents[1] / "data"
    make_roles(migrated.programs, data, migrated.port, secrets)
    try:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(migrated.dsn("reader"))
        connection = await asyncpg.connect(migrated.dsn("reader"), password="ano'ther")
        await connection.close()
    finally:
        make_roles(migrated.programs, data, migrated.port, data.parents[1] / "secrets")


async def test_a_wrong_password_or_no_tls_is_refused(database: Database) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database.dsn("engine"), password="wrong")
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="no encryption"):
        await asyncpg.connect(database.dsn("engine", query="sslmode=disable"))


async def test_a_server_with_the_certificate_of_another_authority_is_not_trusted(
    database: Database, tmp_path: Path
) -> None:
    make_authority(tmp_path / "other")
    query = f"sslmode=verify-full&sslrootcert={tmp_path}/other/ca.crt"
    code, _, err = await command(
        "db", "status", cwd=tmp_path, POSTGRES__DSN=database.dsn("engine", query=query)
    )
    assert (code, "certificate verify failed" in err) == (1, True), err
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncpg.connect(database.dsn("engine", query=query))


async def test_the_password_may_come_from_a_file(database: Database, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(database.passwords["postgres_engine"] + "\n")
    code, _, err = await command(
        "db", "status", cwd=tmp_path,
        POSTGRES__DSN=database.dsn("engine", password=False),
        POSTGRES__PASSWORD_FILE=tmp_path / "password",
    )  # fmt: skip
    assert code in {0, 1}  # up to date or not: it was let in
    assert "verify-full" in err
    assert database.passwords["postgres_engine"] not in err


async def test_the_settings_are_in_force(database: Database) -> None:
    lines = (DEPLOY / "postgres/lockstep.conf").read_text().splitlines()
    wanted = dict(line.split(" = ") for line in lines if line and not line.startswith("#"))
    assert wanted["autovacuum_naptime"] == "5s"
    connection = await asyncpg.connect(database.dsn("engine"))
    try:
        for name, value in wanted.items():
            if name != "fsync":  # which the tests do without
                shown = await connection.fetchval("select current_setting($1)", name)
                assert shown == value, name
    finally:
        await connection.close()
