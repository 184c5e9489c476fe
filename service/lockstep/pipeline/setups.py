"""Triggers with a set-up: a plug-in watches something itself, on one replica at a time."""

import asyncio
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import structlog
from msgspec import UNSET, UnsetType

from lockstep import matching
from lockstep.model.automations import Automation
from lockstep.model.decisions import Candidate, Decision
from lockstep.model.errors import EngineError, Unavailable
from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.matches import TriggerMatch
from lockstep.model.parked import why
from lockstep.model.program import TriggerRule
from lockstep.model.texts import path_text, said
from lockstep.model.types import Catalog, Fire, Identity, TriggerType, own
from lockstep.pipeline.judging import Outdated, catch_up, commit_judged
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.pipeline.setup_calls import Key, Logger, SetupCalls
from lockstep.pipeline.windows_and_holds import pass_windows_and_holds
from lockstep.ports.pipeline import Transaction
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.depth import MAX_DEPTH, nests_deeper
from lockstep_schemas.events import Actor

LOOK_SECONDS: Final = 1.0  # a set-up begins, or moves to another replica, about so late
LONGEST_PAUSE_SECONDS: Final = 60.0  # after doubling: what is back again is noticed within a minute

log = structlog.get_logger()


class SetupLeases(Protocol):
    """Which replica runs which set-up."""

    async def owned(self) -> set[Key]:
        """The set-ups that are this worker's."""
        ...

    async def workers(self) -> int:
        """How many workers live; at least this one."""
        ...

    async def claim(self, wanted: Sequence[Key], most: int) -> set[Key]:
        """Take set-ups that no living worker runs."""
        ...

    async def release(self, keys: Sequence[Key]) -> None:
        """Give set-ups back."""
        ...

    async def park_setup(self, automation_id: str, trigger_id: str, reason: str) -> None:
        """Put a set-up aside that cannot be begun here: another replica may."""
        ...

    async def unpark(self, keys: Sequence[Key]) -> None:
        """Let set-ups be tried anew that were parked: their automations have changed."""
        ...


class FireRefused(EngineError):
    """A set-up has fired what cannot be taken, or is not this replica's any more."""

    code = "source.refused"
    advice = (
        "Correct the plug-in if it fired what it may not; else nothing: another replica has it."
    )


class ConfigUnread(Exception):
    """The config of a trigger is not what its plug-in takes here; another version of it may."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A set-up that should run somewhere; made again when anything of it changes."""

    identity: Identity
    version: int
    config: JsonObject
    kind: TriggerType


class SetupFire:
    """See `model.types.Fire`."""

    def __init__(self, wanted: _Wanted, parts: PipelineParts) -> None:
        self._wanted, self._parts = wanted, parts
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()

    async def __call__(
        self,
        payload: JsonObject,
        *,
        context_key: str | None | UnsetType = UNSET,
        actor: Actor | None = None,
        message_id: str | None = None,
    ) -> None:
        """See `model.types.Fire`."""
        event = self._event(payload, context_key, actor or Actor(), message_id)
        await commit_judged(_Fired(event, self._wanted.identity, self._parts), self._parts)

    def from_thread(self, payload: JsonObject, **how: str | None) -> None:
        """See `model.types.Fire`."""
        if threading.get_ident() == self._thread_id:
            # It would wait for what only this thread can do, and the replica with it.
            raise FireRefused(
                f"'{self._wanted.identity.event}': from_thread was called in the thread of the "
                "engine's loop; await fire(...) there"
            )
        making = self(payload, **how)  # type: ignore[arg-type] # its keywords, as texts
        asyncio.run_coroutine_threadsafe(making, self._loop).result()

    def _event(
        self,
        payload: Json,
        context_key: str | None | UnsetType,
        actor: Actor,
        message_id: str | None,
    ) -> Event:
        identity, kind = self._wanted.identity, self._wanted.kind
        if not isinstance(payload, dict):
            raise FireRefused(f"'{identity.event}' fired {type(payload).__name__}, no JSON object")
        if nests_deeper(payload, MAX_DEPTH):
            raise FireRefused(
                f"'{identity.event}' fired a payload that nests deeper than {MAX_DEPTH} levels"
            )
        for fault in kind.payload_schema.faults(payload) if kind.payload_schema else ():
            place = path_text(["payload", *fault.path])
            raise FireRefused(f"'{identity.event}' fired a wrong payload: {place}: {fault.message}")
        if context_key is UNSET:
            context_key = kind.context_key(payload) if kind.context_key is not None else None
        body = msgspec.json.encode(payload)
        return Event(
            id=identity.event,
            payload=msgspec.json.decode(body),  # the plug-in may go on with its own
            body=body,
            delivery=":".join(
                ["source", identity.automation_id, identity.trigger_id, message_id or str(uuid7())]
            ),
            message_id=None,  # of the bus it would be; ours are of one trigger alone
            context_key=context_key or None,
            actor=actor,
            hop=0,
            time=self._parts.clock.now(),
            sequence=0,
        )


class _Fired:
    """A `pipeline.judging.Judging`: takes what a set-up has fired through its trigger."""

    def __init__(self, event: Event, identity: Identity, parts: PipelineParts) -> None:
        self._event, self._identity, self._parts = event, identity, parts
        self._rule: TriggerRule | None = None
        self._judged: Candidate | Decision | None = None

    async def prepare(self) -> None:
        """See `pipeline.judging.Judging`."""
        match = self._match()
        rule = None if match is None else match.trigger
        if match is None or rule is not self._rule:
            self._judged = None if match is None else self._judge(match)
            self._rule = rule

    def _judge(self, match: TriggerMatch) -> Candidate | Decision:
        kept = self._parts.decisions_are_kept()
        return matching.judge(match, self._parts.clock.now(), is_explained=kept)

    async def decide(self, tx: Transaction, *, is_last: bool) -> Decided:
        """See `pipeline.judging.Judging`."""
        new = await tx.take_receipts([self._event])
        revision = await tx.revision()
        await catch_up(self._parts.index, revision, is_last=is_last)
        identity = self._identity
        if not await tx.owns_setup(identity.automation_id, identity.trigger_id):
            raise FireRefused(
                f"trigger '{identity.trigger_id}' of automation {identity.automation_id}: another "
                "replica runs it now, or it was disabled"
            )
        match = self._match()
        if not new or match is None:
            return Decided()
        if match.trigger is not self._rule:
            if not is_last:
                raise Outdated(revision)
            await self.prepare()
        if isinstance(self._judged, Candidate):
            return await pass_windows_and_holds([self._judged], self._parts.clock.now(), tx)
        return Decided(judged=[self._judged] if self._judged is not None else [])

    def _match(self) -> TriggerMatch | None:
        automation = self._parts.index.automation(self._identity.automation_id)
        rule = None if automation is None else _rule(automation, self._identity)
        if automation is None or rule is None:
            return None
        return TriggerMatch(self._event, automation, rule)


class TriggerSetups:
    """Keeps the set-ups of this replica: its fair share of those that should run."""

    def __init__(self, leases: SetupLeases, catalog: Catalog, parts: PipelineParts) -> None:
        self._leases, self._catalog, self._parts = leases, catalog, parts
        self._calls = SetupCalls()
        self._running: dict[Key, tuple[_Wanted, asyncio.Task[None]]] = {}
        self._parked: dict[Key, _Wanted] = {}  # by this replica

    async def run(self) -> None:
        """Follow the automations until cancelled; then tear down, and give all back."""
        try:
            while True:
                if any(kind.setup is not None for kind in self._catalog.triggers()):
                    await self._look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            keys = [*self._running]
            await self._stop(keys)
            if keys:
                try:
                    await self._leases.release(keys)
                except Unavailable as error:
                    log.info("source.left", error=error)  # stale in a moment

    async def _look(self) -> None:
        self._forget_ended()
        try:
            await self._parts.index.refresh()
            wanted = self._wanted()
            await self._unpark(wanted)
            owned = await self._leases.owned()
            changed = [key for key, (made, _) in self._running.items() if made != wanted.get(key)]
            await self._stop({*changed, *(self._running.keys() - owned)})
            surplus = sorted(owned - wanted.keys())
            share = math.ceil(len(wanted) / await self._leases.workers())
            surplus += sorted(owned & wanted.keys())[share:]
            if surplus:
                await self._stop(surplus)
                await self._leases.release(surplus)
                owned -= set(surplus)
            free = [key for key in wanted if key not in owned]
            if free and len(owned) < share:
                owned |= await self._leases.claim(free, share - len(owned))
        except Unavailable as error:
            log.warning("service.delayed", error=error)
            return
        for key in sorted(owned & wanted.keys() - self._running.keys()):
            setup = wanted[key]
            self._running[key] = (setup, asyncio.create_task(self._keep(setup)))

    def _forget_ended(self) -> None:
        """Let those be begun anew whose task has ended, though nobody stopped it."""
        for key, (_, task) in [*self._running.items()]:
            if task.done() and key not in self._parked:
                del self._running[key]
                error = None if task.cancelled() else task.exception()
                log.error(
                    "source.failed", automation_id=key[0], trigger_id=key[1],
                    error=said(error or "it was cancelled"), exc_info=error,
                )  # fmt: skip

    async def _unpark(self, wanted: Mapping[Key, _Wanted]) -> None:
        """Let those be tried anew whose automation is another now."""
        changed = [key for key, made in self._parked.items() if made != wanted.get(key)]
        if changed:
            await self._leases.unpark(changed)
            for key in changed:
                del self._parked[key]

    async def _park(self, wanted: _Wanted, reason: str) -> bool:
        """Put a set-up aside that cannot be begun here; false where the store is away."""
        key = wanted.identity.automation_id, wanted.identity.trigger_id
        try:
            await self._leases.park_setup(*key, reason)
        except Unavailable as error:
            log.warning("service.delayed", error=error)
            return False
        self._parked[key] = wanted
        return True

    def _wanted(self) -> Mapping[Key, _Wanted]:
        found = {}
        for automation in self._parts.index.automations():
            for rule in automation.program.triggers:
                kind = self._catalog.trigger(rule.event)
                if kind is None or kind.setup is None:
                    continue
                identity = Identity(
                    automation_id=automation.id,
                    automation_name=automation.name,
                    trigger_id=rule.id,
                    event=rule.event,
                )
                found[automation.id, rule.id] = _Wanted(
                    identity, automation.version, rule.config, kind
                )
        return found

    async def _stop(self, keys: Sequence[Key] | set[Key]) -> None:
        tasks = [self._running.pop(key)[1] for key in sorted(keys) if key in self._running]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _keep(self, wanted: _Wanted) -> None:
        """Set up, again and again while that fails; tear down when cancelled."""
        key = wanted.identity.automation_id, wanted.identity.trigger_id
        logger = structlog.get_logger().bind(automation_id=key[0], trigger_id=key[1])
        pause = LOOK_SECONDS
        teardown: object = None
        while True:
            try:
                if not self._calls.hangs(key):
                    teardown = await self._set_up(wanted, logger)
                    break
                logger.warning("source.hangs", next_seconds=pause)
            except ConfigUnread as error:
                if await self._park(wanted, why(error)):
                    return
            except Exception as error:
                logger.exception("source.failed", error=said(error), next_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        logger.info("source.started")
        try:
            await asyncio.Event().wait()
        finally:
            await self._calls.tear_down(key, teardown, logger)

    async def _set_up(self, wanted: _Wanted, logger: Logger) -> object:
        setup, identity = wanted.kind.setup, wanted.identity
        if setup is None:
            return None
        fire: Fire = SetupFire(wanted, self._parts)
        return await self._calls.set_up(
            (identity.automation_id, identity.trigger_id),
            setup,
            lambda: setup(_config(wanted), identity, fire, logger),
            logger,
        )


def _config(wanted: _Wanted) -> object:
    """Give a set-up its config, as the type that it has declared."""
    config = own(wanted.config)
    if wanted.kind.config_type is None:
        return config
    try:
        return msgspec.convert(config, wanted.kind.config_type, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigUnread(f"config of '{wanted.identity.event}': {error}") from error


def _rule(automation: Automation, identity: Identity) -> TriggerRule | None:
    for rule in automation.program.triggers:
        if rule.id == identity.trigger_id and rule.event == identity.event:
            return rule
    return None
