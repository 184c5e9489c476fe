"""From files to a running engine: what shall change, and the changes themselves."""

from collections.abc import Sequence, Set

import msgspec

from lockstep.cli.files import trigger_types
from lockstep.cli.files.documents import Documents
from lockstep.cli.files.plan import APPLY, DONE, Plan, PlannedChange, plan
from lockstep.cli.files.trigger_types import TypeChange
from lockstep.cli.terminal.progress import progress
from lockstep.client.remote import ApiRefused, Remote
from lockstep.definition.documents import Document
from lockstep.definition.faults import Fault, in_order
from lockstep.model.errors import EngineError
from lockstep_schemas import api
from lockstep_schemas.catalog import CatalogList, Triggers


class Interrupted(EngineError):
    """Some changes were done, then one was not."""

    code = "apply.interrupted"
    advice = "See to what the message names, then apply again: what is done is not repeated."


class ChangedMeanwhile(EngineError):
    """What should be deleted was changed since it was looked at; it stays."""

    code = "apply.changed_meanwhile"
    category = "conflict"
    advice = "Apply again: it shows what is to be done now."


async def planned(remote: Remote, loaded: Documents, *, prune: bool, owner: str = APPLY) -> Plan:
    """Compare files and engine; have the engine judge every definition."""
    types, wrong = list[TypeChange](), list[Fault]()
    if loaded.types:
        known = (await remote.call("catalog.triggers", CatalogList(), Triggers)).items
        types, wrong = trigger_types.plan(known, loaded.types, APPLY)
    coming = {one.id for one in types}
    judged = await validated(remote, loaded.documents, coming)
    made = plan(await remote.automations(), loaded.documents, prune=prune, managed_by=owner)
    faults = in_order([*loaded.faults, *wrong, *judged, *made.faults])
    return Plan(made.changes, faults, types)


async def register(remote: Remote, changes: Sequence[TypeChange]) -> None:
    """Bring the types to the engine: first, as automations may ask for their events."""
    for change in changes:
        if change.what == "keep":
            continue
        request = msgspec.structs.replace(change.document.register, owner=APPLY)
        try:
            await remote.call("catalog.triggers.register", request, api.Success)
        except EngineError as error:
            raise Interrupted(
                f"the type '{change.id}' ({change.document.file}) was not "
                f"{DONE[change.what]}: {error}; apply again to do the rest"
            ) from error


async def carry_out(
    remote: Remote, changes: Sequence[PlannedChange], *, managed_by: str = APPLY
) -> list[PlannedChange]:
    """Do changes in order; give those that were needed.

    Raises:
        Interrupted: One failed; those before it are done.
    """
    needed = [change for change in changes if change.what != "keep"]
    with progress("applying", len(needed)) as advance:
        for done, change in enumerate(needed):
            try:
                await _carry_out(remote, change, managed_by)
            except EngineError as error:
                place = f" ({change.document.file})" if change.document else ""
                raise Interrupted(
                    f"'{change.name}'{place} was not {DONE[change.what]}: {error}; "
                    f"{done} of {len(needed)} changes were done; apply again to do the rest"
                ) from error
            advance(1)
    return needed


async def _carry_out(remote: Remote, change: PlannedChange, managed_by: str) -> None:
    if change.what == "create" and change.document is not None:
        request = change.document.creation(managed_by)
        await remote.call("automations.create", request, api.Automation)
    elif change.what == "update":
        await remote.call("automations.update", change.update(managed_by), api.Automation)
    elif change.what == "delete" and change.current is not None:
        try:
            await _delete(remote, change.current)
        except ApiRefused as error:
            if error.fault.code != "not_found":  # somebody else was quicker
                raise


async def _delete(remote: Remote, planned: api.Automation) -> None:
    """Delete what is still what was shown: people take their time to confirm that.

    Raises:
        ChangedMeanwhile: It has another owner, or says something else.
        ApiRefused: It is gone, or cannot be deleted.
    """
    found = await remote.call("automations.get", api.ById(planned.id), api.Automation)
    if found.managed_by != planned.managed_by:
        owner = "nobody" if found.managed_by is None else f"'{found.managed_by}'"
        raise ChangedMeanwhile(f"it was taken over meanwhile: its owner is {owner} now")
    if found.version != planned.version:
        raise ChangedMeanwhile(f"it was changed meanwhile: it has version {found.version} now")
    await remote.call("automations.delete", api.ById(planned.id), api.Success)


async def validated(remote: Remote, some: Sequence[Document], coming: Set[str]) -> list[Fault]:
    """Have the engine judge every definition, before anything is changed.

    That it does not know an event yet whose type comes with these files is no fault.
    """
    faults = []
    with progress("validating", len(some)) as advance:
        for document in some:
            request = api.ValidateRequest(definition=document.definition)
            verdict = await remote.call("automations.validate", request, api.Validation)
            unknown = {f"unknown event '{one}'" for one in coming}
            errors = [issue for issue in verdict.errors if issue.message not in unknown]
            faults += [document.fault(issue) for issue in errors]
            faults += [document.fault(issue, "warning") for issue in verdict.warnings]
            advance(1)
    return faults
