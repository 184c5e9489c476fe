"""Keys and JSON web tokens of NATS, as its administrators make them with `nsc`."""

import json
import os
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import nkeys

Json = dict[str, Any]
LIMITS = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
STORES = ("mem_storage", "disk_storage", "streams", "consumer")
UNLIMITED: Json = dict.fromkeys((*LIMITS, *STORES), -1)


@dataclass
class Identity:
    """An nkey: a seed that is secret and a public key."""

    kind: int
    seed: bytes = field(init=False)
    public: str = field(init=False)

    def __post_init__(self) -> None:
        self.seed = nkeys.encode_seed(os.urandom(32), self.kind)
        self.public = nkeys.from_seed(bytearray(self.seed)).public_key.decode()

    def issue(
        self, name: str, subject: "Identity", claims: Json, seconds: int | None = None
    ) -> str:
        """Sign a token for `subject`, for so many seconds if it is not for good."""
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        body = {
            "jti": os.urandom(16).hex(), "iat": int(time.time()), "iss": self.public,
            "name": name, "sub": subject.public, "nats": {**claims, "version": 2},
        }  # fmt: skip
        if seconds is not None:
            body["exp"] = int(time.time()) + seconds
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (head, body))
        pair = nkeys.from_seed(bytearray(self.seed))
        return f"{signed}.{_base64(cast('bytes', pair.sign(signed.encode())))}"


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def user() -> Identity:
    """Make the key of a user."""
    return Identity(nkeys.PREFIX_BYTE_USER)


@dataclass
class Signer:
    """Lets a user into an account."""

    account: Identity
    key: Identity
    engine: Identity

    def write(self, path: Path, seconds: int | None = None) -> None:
        """Write a credentials file, in one go as those who renew them do."""
        claims = {"type": "user", "issuer_account": self.account.public}
        token = self.key.issue("engine", self.engine, claims, seconds)
        seed = self.engine.seed.decode()
        beside = path.with_suffix(".new")
        beside.write_text(
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
        beside.replace(path)


def write_operator_mode(folder: Path, rights: Json) -> tuple[str, Path, Signer]:
    """Make an operator, two accounts, and a user with its credentials file.

    The rights stand in the account, as those of the key that signs its users: in the user's own
    token they would be longer than what NATS takes as a line of its protocol (4 KiB).

    Returns:
        What the configuration of a server needs of it, the credentials file, and who renews it.
    """
    operator = Identity(nkeys.PREFIX_BYTE_OPERATOR)
    account, system = (Identity(nkeys.PREFIX_BYTE_ACCOUNT) for _ in range(2))
    engine, signing = user(), Identity(nkeys.PREFIX_BYTE_ACCOUNT)
    free = {"subs": -1, "data": -1, "payload": -1}
    scope = {"kind": "user_scope", "key": signing.public, "role": "engine"}
    limits: Json = {
        "type": "account",
        "limits": {**UNLIMITED, "wildcards": True},
        "signing_keys": [{**scope, "template": {**free, **rights}}],
    }
    none: Json = {**UNLIMITED, "wildcards": True, **dict.fromkeys(STORES, 0)}
    tokens = {
        account.public: operator.issue("LOCKSTEP", account, limits),
        system.public: operator.issue("SYS", system, {"type": "account", "limits": none}),
    }
    credentials = folder / "engine.creds"
    signer = Signer(account, signing, engine)
    signer.write(credentials)
    preload = "\n".join(f'  {key}: "{value}"' for key, value in tokens.items())
    head = operator.issue("test", operator, {"type": "operator"})
    config = (
        f'operator: "{head}"\nsystem_account: {system.public}\n'
        f"resolver: MEMORY\nresolver_preload {{\n{preload}\n}}\n"
    )
    return config, credentials, signer
