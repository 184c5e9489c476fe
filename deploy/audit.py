"""Ask whether something is known against what the image installs: `make audit`.

pip-audit asks OSV (osv.dev) about each version in requirements.txt. Where OSV cannot be asked, as
a network that is closed, that is said, and no error: AUDIT=strict makes it one, for a release.
AUDIT_URL names another service with OSV's API.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).with_name("requirements.txt")
OSV = "https://api.osv.dev/v1/query"
LIMIT_SECONDS = 300


def ask(url: str) -> tuple[list[dict[str, object]] | None, str]:
    """Run pip-audit; give what it says of each package, or None and why it cannot say anything."""
    words = [
        "--vulnerability-service",
        "osv",
        "--osv-url",
        url,
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    words += ["--disable-pip", "--require-hashes", "--requirement", str(FILE)]
    command = [sys.executable, "-m", "pip_audit", *words]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=LIMIT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return None, f"no end within {LIMIT_SECONDS} s"
    try:
        found: list[dict[str, object]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return None, lines[-1]
    return found, ""


def main() -> int:
    """Say what is known; return the exit code: 1 where something is."""
    url = os.environ.get("AUDIT_URL", OSV)
    found, reason = ask(url)
    skipped = [one for one in found or () if "skip_reason" in one]
    if found is None or skipped:
        reason = reason or f"{len(skipped)} packages, the first: {skipped[0]['skip_reason']}"
        print(f"NOT AUDITED: {url} could not be asked: {reason}", file=sys.stderr)
        return int(os.environ.get("AUDIT") == "strict")
    bad = [one for one in found if one["vulns"]]
    for one in bad:
        for fault in one["vulns"] if isinstance(one["vulns"], list) else ():
            fixed = ", ".join(fault["fix_versions"]) or "none yet"
            print(f"{one['name']} {one['version']}: {fault['id']}, mended in {fixed}")
    known = f"something is known against {len(bad)}: make lock" if bad else "nothing is known"
    print(f"{len(found)} packages of deploy/requirements.txt: {known}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
