"""A secret is masked in whatever way it is written."""

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from lockstep.model.secrets import MASK, Masker

KEY = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA1x/9+w==\nq0\n-----END KEY-----\n"
BEHIND_A_USER = "hunter2-????>>>>"
SECRETS = [
    "hunter2", "P@ss/w?rd+%&'\"\\", "two words", "geheim-äöü-ß", "T0K/en=+", "日本語のパスワード",
    KEY, "line\r\nline", "MixedCase42", "line\u2028line", "\\\\share\\'q\"",
]  # fmt: skip


def masked(secret: str, text: str) -> str:
    masker = Masker()
    masker.remember(secret)
    return masker.text(text)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "spelled",
    [
        str, quote, quote_plus, json.dumps, repr, ascii,
        lambda text: json.dumps(json.dumps(text)), lambda text: repr(json.dumps(json.dumps(text))),
        lambda text: quote(text, safe="/:?&=+'"),
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: quote(text).lower(),
        lambda text: " ".join(text.split()),
        lambda text: text.lower(),
        lambda text: text.replace("\n", "\r\n"),
    ],
)  # fmt: skip
def test_a_secret_is_masked_however_its_signs_are_written(secret: str, spelled: object) -> None:
    written = spelled(secret)  # type: ignore[operator] # one of the functions above
    found = masked(secret, f"before {written} after")
    assert MASK in found
    assert not any(part in found for part in secret.split() if len(part) > 3)
    assert found.startswith("before ")
    assert found.endswith(" after")


@pytest.mark.parametrize("user", ["", "u", "us", "use", "jürgen"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_a_password_behind_its_user_is_masked_in_base64(user: str, encode: object) -> None:
    header = encode(f"{user}:{BEHIND_A_USER} and more".encode()).decode()  # type: ignore[operator]
    found = masked(BEHIND_A_USER, f"Basic {header}")
    assert MASK in found
    assert len(found) < len(header)


@pytest.mark.parametrize("secret", ["Hidden-Name", "Wörter-Büro"])
def test_a_secret_in_the_name_of_a_host_is_masked_as_the_client_writes_it(secret: str) -> None:
    host = URL(f"https://{secret}.example.com/").raw_host
    assert masked(secret, f"POST https://{host}") == f"POST https://{MASK}.example.com"


def test_bytes_that_are_no_text_are_masked_in_the_middle() -> None:
    masker = Masker()
    masker.remember("geheim-ä")
    assert masker.raw(b"\xff\x00geheim-\xc3\xa4\xfe") == b"\xff\x00***\xfe"


@given(st.text(min_size=4), st.text(), st.text())
def test_any_text_can_be_a_secret_and_is_gone_where_it_stands(
    secret: str, before: str, after: str
) -> None:
    found = masked(secret, before + secret + after)
    assert secret not in found or secret in MASK or not secret.strip()
