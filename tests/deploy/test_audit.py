"""`make audit`, with a service of our own in the place of osv.dev."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from deploy.machines import DEPLOY, environ
from patience import LIMIT_SECONDS

Answers = dict[str, object]
KNOWN = {
    "id": "GHSA-made-up",
    "summary": "made up",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
        }
    ],
}


@contextmanager
def osv(answers: Answers, asked: list[str]) -> Iterator[str]:
    """Answer as OSV does: with what is in `answers` by package, else that nothing is known."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body["package"]["name"])
            reply = json.dumps(answers.get(body["package"]["name"], {})).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


def audit(url: str, mode: str = "") -> tuple[int, str]:
    """Run it; give its exit code, and what it says."""
    with environ({"AUDIT_URL": url, "AUDIT": mode}):
        done = subprocess.run(
            [sys.executable, DEPLOY / "audit.py"],
            check=False, capture_output=True, text=True, timeout=LIMIT_SECONDS,
        )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_what_is_known_against_a_package_of_the_image_fails_the_audit() -> None:
    asked: list[str] = []
    with osv({"jinja2": {"vulns": [KNOWN]}}, asked) as url:
        code, said = audit(url)
    assert (code, "GHSA-made-up, mended in 99.1" in said) == (1, True), said
    pinned = re.findall(
        r"^([\w-]+)==[^;]*\\$", (DEPLOY / "requirements.txt").read_text(), re.MULTILINE
    )
    assert set(pinned) <= set(asked), "every package is asked for"


def test_nothing_known_is_said_with_the_number_of_packages() -> None:
    asked: list[str] = []
    with osv({}, asked) as url:
        code, said = audit(url, "strict")
    assert (code, said) == (
        0, f"{len(asked)} packages of deploy/requirements.txt: nothing is known\n",
    )  # fmt: skip


def test_a_service_that_is_away_is_said_and_an_error_only_where_it_is_asked_for() -> None:
    url = "http://127.0.0.1:9/v1/query"
    code, said = audit(url)
    assert (code, said.startswith(f"NOT AUDITED: {url} could not be asked: ")) == (0, True), said
    assert audit(url, "strict")[0] == 1
