"""Names on the bus: subjects, streams, consumers, all derived from one prefix."""

from hashlib import sha256
from typing import Final, Literal

Kind = Literal["delay", "wait"]
"""What can sleep, and so has a bucket."""

ENGINE: Final = "engine"
MAX_SUBJECT_BYTES: Final = 512
"""Longer ones work up to about 4 KiB, then the server cuts the connection."""

_WILD: Final = frozenset({"*", ">"})


def is_subject(text: str) -> bool:
    """Tell whether `text` can be published to: words with single dots between, not too long."""
    return (
        len(text) <= MAX_SUBJECT_BYTES
        and text.split() == [text]
        and "" not in text.split(".")
        and (text.isascii() or len(text.encode("utf-8", "replace")) <= MAX_SUBJECT_BYTES)
    )


class Names:
    """All names under one prefix."""

    __slots__ = (
        "_lane",
        "_trigger",
        "dead_stream",
        "delays_bucket",
        "prefix",
        "runs_stream",
        "triggers_stream",
        "waits_bucket",
        "workers_bucket",
    )

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.triggers_stream = f"{prefix.upper()}_TRIGGERS"
        self.runs_stream = f"{prefix.upper()}_RUNS"
        self.dead_stream = f"{prefix.upper()}_DEAD"
        self.delays_bucket = f"{prefix}_delays"
        self.waits_bucket = f"{prefix}_waits"
        self.workers_bucket = f"{prefix}_workers"
        self._trigger = f"{prefix}.trigger."
        self._lane = f"{prefix}.lane."

    def trigger(self, event_id: str, lane: str = "") -> str:
        """Name the subject of an event; `>` as its id names them all."""
        return f"{self._lane}{lane}.trigger.{event_id}" if lane else f"{self._trigger}{event_id}"

    def consumer(self, lane: str = "") -> str:
        """Name the durable group that handles the events of a lane, or those of none."""
        return f"lane-{lane}" if lane else ENGINE

    def lane(self, consumer: str) -> str | None:
        """Name the lane of a durable group, or the empty one; None for a group of another kind."""
        if consumer == ENGINE:
            return ""
        return consumer.removeprefix("lane-") if consumer.startswith("lane-") else None

    def event(self, subject: str) -> tuple[str, str]:
        """Take the subject of an event apart: lane (or empty) and event id.

        A subject that is none of ours comes back whole as the id.
        """
        if subject.startswith(self._trigger):
            return "", subject[len(self._trigger) :]
        if subject.startswith(self._lane):
            lane, found, event_id = subject[len(self._lane) :].partition(".trigger.")
            if found and "." not in lane:
                return lane, event_id
        return "", subject

    def run(self, automation_id: str, what: str) -> str:
        """Name the subject of a run event."""
        return f"{self.prefix}.run.{automation_id}.{what}"

    def automation(self, automation_id: str, what: str) -> str:
        """Name the subject of a definition event."""
        return f"{self.prefix}.automation.{automation_id}.{what}"

    def dead(self, event_id: str) -> str:
        """Name the subject of a dead letter.

        An id that is too long or too odd for a subject stands there as its hash: publishers
        choose ids, and a dead letter must always be storable, and found by no wildcard but `>`.
        The whole of it is in the header `Lockstep-Subject`.
        """
        subject = f"{self.prefix}.dead.{event_id}"
        if is_subject(subject) and subject.isprintable() and not _WILD & set(subject.split(".")):
            return subject
        digest = sha256(event_id.encode("utf-8", "replace")).hexdigest()
        return f"{self.prefix}.dead._odd.{digest}"

    @property
    def marker(self) -> str:
        """The subject in the stream of events that marks how far it is known; no group takes it."""
        return f"{self.prefix}.marker"

    @property
    def secret(self) -> str:
        """The subject on which a service resolves secrets."""
        return f"{self.prefix}.secret"

    def action(self, qualified_id: str) -> str:
        """Name the subject on which a service provides an action."""
        return f"{self.prefix}.action.{qualified_id}"

    def api(self, endpoint: str) -> str:
        """Name the subject of an endpoint of the control API."""
        return f"{self.prefix}.api.{endpoint}"

    def bucket_stream(self, bucket: str) -> str:
        """Name the stream of a KV bucket."""
        return f"KV_{bucket}"

    def key(self, bucket: str, key: str) -> str:
        """Name the subject of a key of a KV bucket; `>` as the key names them all."""
        return f"$KV.{bucket}.{key}"

    def wake(self, kind: Kind, wait_id: str) -> str:
        """Name the subject on which the server wakes a wait; `>` as its id names them all."""
        return f"{self.prefix}.wake.{kind}.{wait_id}"

    def worker(self, worker_id: str) -> str:
        """Name the subject of a worker."""
        return f"{self.prefix}.worker.{worker_id}"
