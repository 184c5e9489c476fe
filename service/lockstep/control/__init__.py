"""Control: the API for operators, a NATS micro service."""

from collections.abc import Mapping
from typing import get_type_hints

from lockstep.control.automations import AutomationEndpoints
from lockstep.control.catalog import CatalogEndpoints
from lockstep.control.dead import DeadEndpoints
from lockstep.control.dispatch import Endpoint, EndpointReply, handler
from lockstep.control.many import ManyEndpoints
from lockstep.control.migration import MigrationEndpoints
from lockstep.control.overdue import OverdueWaits
from lockstep.control.parked import ParkedEndpoints
from lockstep.control.register import RegisterEndpoints
from lockstep.control.retry import RetryEndpoint
from lockstep.control.runs import RunEndpoints
from lockstep.control.start import StartEndpoint
from lockstep.control.status import StatusEndpoint
from lockstep.control.why import WhyEndpoint
from lockstep_schemas import api
from lockstep_schemas.catalog import CatalogList, RenderRequest
from lockstep_schemas.dead import DeadById, DeadList, DeadSelect
from lockstep_schemas.migration import FailuresList, ImportRequest
from lockstep_schemas.parked import ParkedById, ParkedList, ParkedSelect
from lockstep_schemas.registration import ActionRegister, TriggerRegister
from lockstep_schemas.status import StatusRequest
from lockstep_schemas.why import WhyRequest

__all__ = [
    "AutomationEndpoints",
    "CatalogEndpoints",
    "DeadEndpoints",
    "Endpoint",
    "EndpointReply",
    "ManyEndpoints",
    "MigrationEndpoints",
    "OverdueWaits",
    "ParkedEndpoints",
    "RegisterEndpoints",
    "RetryEndpoint",
    "RunEndpoints",
    "StartEndpoint",
    "StatusEndpoint",
    "WhyEndpoint",
    "endpoints",
    "handler",
    "table",
]


def endpoints(
    *,
    automations: AutomationEndpoints,
    runs: RunEndpoints,
    start: StartEndpoint,
    retry: RetryEndpoint,
    many: ManyEndpoints,
    dead_letters: DeadEndpoints,
    parked: ParkedEndpoints,
    catalog: CatalogEndpoints,
    register: RegisterEndpoints,
    migration: MigrationEndpoints,
    status: StatusEndpoint,
    why: WhyEndpoint,
) -> Mapping[str, Endpoint]:
    """The table of endpoints: what each takes, and who answers."""
    return {
        "automations.list": handler(api.AutomationsList, automations.list),
        "automations.get": handler(api.ById, automations.get),
        "automations.create": handler(api.AutomationCreate, automations.create),
        "automations.update": handler(api.AutomationUpdate, automations.update),
        "automations.delete": handler(api.ById, automations.delete),
        "automations.toggle": handler(api.AutomationToggle, automations.toggle),
        "automations.validate": handler(api.ValidateRequest, automations.validate),
        "automations.versions": handler(api.VersionsGet, automations.versions),
        **_of_runs(runs, start, retry, many),
        "events.why": handler(WhyRequest, why.why),
        "artifacts.close": handler(api.ById, runs.close_artifact),
        "catalog.triggers": handler(CatalogList, catalog.triggers),
        "catalog.actions": handler(CatalogList, catalog.actions),
        "catalog.artifact_types": handler(CatalogList, catalog.artifact_types),
        "catalog.filters": handler(CatalogList, catalog.filters),
        "catalog.triggers.register": handler(TriggerRegister, register.trigger),
        "catalog.actions.register": handler(ActionRegister, register.action),
        "templates.render": handler(RenderRequest, catalog.render),
        "dead.list": handler(DeadList, dead_letters.list),
        "dead.show": handler(DeadById, dead_letters.show),
        "dead.retry": handler(DeadSelect, dead_letters.retry),
        "dead.discard": handler(DeadSelect, dead_letters.discard),
        "parked.list": handler(ParkedList, parked.list),
        "parked.show": handler(ParkedById, parked.show),
        "parked.retry": handler(ParkedSelect, parked.retry),
        "parked.discard": handler(ParkedSelect, parked.discard),
        "migration.import": handler(ImportRequest, migration.import_subscriptions),
        "migration.failures": handler(FailuresList, migration.failures),
        "migration.acknowledge": handler(api.ById, migration.acknowledge),
        "status": handler(StatusRequest, status.status),
    }


def _of_runs(
    runs: RunEndpoints, start: StartEndpoint, retry: RetryEndpoint, many: ManyEndpoints
) -> Mapping[str, Endpoint]:
    return {
        "runs.start": handler(api.RunStart, start.start),
        "runs.list": handler(api.RunsList, runs.list),
        "runs.get": handler(api.RunGet, runs.get),
        "runs.cancel": handler(api.RunCancel, runs.cancel),
        "runs.retry": handler(api.RunRetry, retry.retry),
        "runs.cancel_many": handler(api.RunsCancel, many.cancel),
        "runs.retry_many": handler(api.RunsRetry, many.retry),
    }


def table() -> Mapping[str, Endpoint]:
    """The table of endpoints with nobody behind it: it says what each takes and gives."""
    classes = get_type_hints(endpoints)
    del classes["return"]
    return endpoints(**classes)
