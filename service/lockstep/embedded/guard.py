"""The guard of one embedded server: it starts the server and ends it with the process it is for.

    python -I -S guard.py --stop=15 --orphaned=9 --limit=10 -- /path/to/nats-server --config ...

Standard input is a pipe to the process that the server is for, which never writes to it: its end
of file means stop, whether that process closed it or was killed. If the guard itself is killed,
the kernel sends the server the signal `--orphaned` (on Linux). It ends with the code of the
server, or 128 + n if that died of signal n.

It is run by its path and imports nothing but the standard library, which keeps it small and quick.
"""

import argparse
import ctypes
import os
import pwd
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

_LINUX: Final = sys.platform == "linux"
_CANNOT_RUN: Final = 127  # as a shell says it
_ASK_TO_STOP: Final = frozenset({signal.SIGTERM, signal.SIGINT})
_WATCHED: Final = _ASK_TO_STOP | {signal.SIGCHLD}

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_PR_SET_KEEPCAPS: Final = 8  # linux/prctl.h
_PR_CAP_AMBIENT: Final = 47  # linux/prctl.h
_PR_CAP_AMBIENT_RAISE: Final = 2  # linux/prctl.h
_CLONE_NEWUSER: Final = 0x10000000  # linux/sched.h
_CAPABILITY_VERSION_3: Final = 0x20080522  # linux/capability.h
_CAP_DAC_OVERRIDE: Final = 1  # linux/capability.h


def main() -> int:
    """Run the server until it ends or shall end."""
    options = _options()
    wakes = _watch_signals()
    become = _identity(options.unprivileged, options.command[0])
    guard = os.getpid()
    # Blocked until the server has the default actions again: a signal in between is not lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    server = os.fork()
    if server == 0:
        _run(options, become, guard)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
    return _wait(server, wakes, options.stop, options.limit)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--stop", type=int, required=True, help="signal that ends the server")
    parser.add_argument("--orphaned", type=int, required=True, help="signal when the guard dies")
    parser.add_argument("--limit", type=float, required=True, help="seconds it has for stopping")
    parser.add_argument("--unprivileged", type=Path, help="its data; it refuses to run as root")
    parser.add_argument("--input", default=os.devnull, help="file that it reads")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def _watch_signals() -> int:
    """Have a byte with its number for every signal; return where to read them."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in _WATCHED:
        signal.signal(number, lambda *_: None)
    return reader


def _wait(server: int, wakes: int, stop: int, limit_seconds: float) -> int:
    """Wait for the end of the server, end it when that is asked for, and return its code."""
    deadline: float | None = None  # not asked to stop yet
    while True:
        pid, status = os.waitpid(server, os.WNOHANG)
        if pid == server:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([wakes, 0] if deadline is None else [wakes], [], [], left)
        signals = os.read(wakes, 512) if wakes in ready else b""
        if deadline is None and (0 in ready or not _ASK_TO_STOP.isdisjoint(signals)):
            os.kill(server, stop)
            deadline = time.monotonic() + limit_seconds
        elif deadline is not None and time.monotonic() >= deadline:
            os.kill(server, signal.SIGKILL)
            deadline = time.monotonic() + limit_seconds


def _run(options: argparse.Namespace, become: Callable[[], None], guard: int) -> NoReturn:
    """Become the server. This is the child; it must not return into what the guard does."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (*_WATCHED, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        os.dup2(os.open(options.input, os.O_RDONLY), 0)
        become()
        _tie_to(guard, options.orphaned)  # after `become`, as a change of user undoes it
        os.execv(options.command[0], options.command)  # noqa: S606 -- a shell is not wanted
    except BaseException as error:  # noqa: BLE001 -- nothing may get out of a forked child
        _say(f"cannot run {options.command[0]}: {error!r}")
    os._exit(_CANNOT_RUN)


def _tie_to(guard: int, orphaned: int) -> None:
    """Have the kernel send us a signal when the guard dies."""
    if _LINUX:
        _call("prctl", _PR_SET_PDEATHSIG, orphaned, 0, 0, 0)
        if os.getppid() != guard:
            raise ProcessLookupError("the guard has ended already")


def _say(text: str) -> None:
    print(f"guard: {text}", file=sys.stderr, flush=True)  # noqa: T201 -- that is the log


# --- Who the server runs as. PostgreSQL refuses to be root; initdb refuses a user without a name.


def _identity(data: Path | None, program: str) -> Callable[[], None]:
    """Return what the child has to do to become a user whom the server accepts.

    Best is a user namespace in which we have another number, while to files we are who we are.
    It may be forbidden, as in a container, or not suffice: root there cannot enter the folders of
    others. Then root becomes the owner of the data, or `nobody`, and keeps the one capability to
    enter any folder, as the programs may lie where only root can go.
    """
    user = os.geteuid()
    if data is None or (user != 0 and _has_name(user)):
        return lambda: None
    spare_uid, spare_gid = _nobody()
    owner = data.stat()
    ours = owner.st_uid == user
    if ours and _LINUX and _succeeds(lambda: _enter_namespace(spare_uid), data, program):
        return lambda: _enter_namespace(spare_uid)
    if user != 0:
        return lambda: None  # initdb will say that the user has no name
    if not ours:
        return lambda: _change_user(owner.st_uid, owner.st_gid)
    for path in [data, *data.rglob("*")]:
        os.chown(path, spare_uid, spare_gid, follow_symlinks=False)
    return lambda: _change_user(spare_uid, spare_gid)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _nobody() -> tuple[int, int]:
    """Return user and group of `nobody`, else of any user but root."""
    users = {user.pw_name: (user.pw_uid, user.pw_gid) for user in pwd.getpwall() if user.pw_uid}
    if not users:
        sys.exit("guard: no user but root has a name, and PostgreSQL needs one")
    return users.get("nobody") or min(users.values())


def _succeeds(become: Callable[[], None], data: Path, program: str) -> bool:
    """Try in a child, as there is no way back, whether data and program can be used then."""
    child = os.fork()
    if child == 0:
        usable = False
        try:
            become()
            usable = os.access(program, os.X_OK) and os.access(data, os.R_OK | os.W_OK | os.X_OK)
        except BaseException as error:  # noqa: BLE001 -- nothing may get out of a forked child
            _say(f"no user namespace: {error!r}")
        os._exit(0 if usable else 1)
    return os.waitpid(child, 0)[1] == 0


def _enter_namespace(uid: int) -> None:
    """Be `uid` in a namespace of our own, which for files is who we are outside."""
    user, group = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")  # else the kernel does not take a gid_map
    Path("/proc/self/uid_map").write_text(f"{uid} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{uid} {group} 1")


def _change_user(uid: int, gid: int) -> None:
    """Be `uid`, but keep root's right to enter and read any folder."""
    if _LINUX:
        _call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if _LINUX:
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        mask = 1 << _CAP_DAC_OVERRIDE
        data = (ctypes.c_uint32 * 6)(mask, mask, mask)  # effective, permitted, inheritable
        _call("capset", header, data)
        _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def _call(name: str, *arguments: object) -> None:
    """Call a function of libc; its -1 becomes an `OSError`."""
    words = [ctypes.c_ulong(word) if isinstance(word, int) else word for word in arguments]
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*words) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main())
