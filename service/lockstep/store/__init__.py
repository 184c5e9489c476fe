"""Store: PostgreSQL, the truth. The only package that imports its driver."""

from lockstep.store.automations import AutomationStore
from lockstep.store.batch import Batches
from lockstep.store.children import ChildStore
from lockstep.store.clock import DatabaseClock
from lockstep.store.doctor import examine
from lockstep.store.due import DueRows
from lockstep.store.imports import ImportStore
from lockstep.store.migrate import create_database, migrate, pending
from lockstep.store.outbox import OutboxStore
from lockstep.store.pool import Store
from lockstep.store.retention import Retention
from lockstep.store.runs import RunStore
from lockstep.store.sources import SourceStore
from lockstep.store.status import StatusStore
from lockstep.store.triggers import JudgementStore
from lockstep.store.types import TypeStore
from lockstep.store.views import RunViews
from lockstep.store.waits import WaitStore
from lockstep.store.watch import numbers

__all__ = [
    "AutomationStore",
    "Batches",
    "ChildStore",
    "DatabaseClock",
    "DueRows",
    "ImportStore",
    "JudgementStore",
    "OutboxStore",
    "Retention",
    "RunStore",
    "RunViews",
    "SourceStore",
    "StatusStore",
    "Store",
    "TypeStore",
    "WaitStore",
    "create_database",
    "examine",
    "migrate",
    "numbers",
    "pending",
]
