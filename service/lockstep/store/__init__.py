"""Store: PostgreSQL, the truth. The only package that imports its driver.

All that locks does so in one order, so that two transactions never wait for one another in a ring:

1. the import of a subscription; topics that waits look back on, by their bytes (advisory),
2. receipts, by delivery,
3. the set-up of a trigger,
4. keys of queues, windows and holds (advisory),
5. automations, by id: for itself by who changes one, shared by who launches,
6. timers, events of holds and counts of windows, which belong to locks of 4 or 5,
7. runs, by id,
8. frames of runs, by run id,
9. waits, after their runs,
10. the revision of the catalog.

Not all of them in each transaction; what many replicas take up by themselves (ready runs, runs of
the dead, what is forgotten) is passed over where another one holds it. Each query says what it
locks. Source: architecture, the way of an event.
"""

from lockstep.store.automations import AutomationStore
from lockstep.store.batch import Batches
from lockstep.store.children import ChildStore
from lockstep.store.clock import DatabaseClock, StreamClockStore
from lockstep.store.doctor import examine
from lockstep.store.due import DueRows
from lockstep.store.imports import ImportStore
from lockstep.store.migrate import create_database, migrate, pending
from lockstep.store.outbox import OutboxStore
from lockstep.store.parked import ParkedStore
from lockstep.store.parked_view import ParkedView
from lockstep.store.pool import Store
from lockstep.store.recent import EventViews, RecentEvents
from lockstep.store.retention import Receipts, Retention
from lockstep.store.runs import RunStore
from lockstep.store.setups import SetupStore
from lockstep.store.status import StatusStore
from lockstep.store.triggers import DecisionStore, HoldStore
from lockstep.store.types import TypeStore
from lockstep.store.views import RunViews
from lockstep.store.waits import WaitStore
from lockstep.store.watch import numbers
from lockstep.store.workers import WorkerStore

__all__ = [
    "AutomationStore",
    "Batches",
    "ChildStore",
    "DatabaseClock",
    "DecisionStore",
    "DueRows",
    "EventViews",
    "HoldStore",
    "ImportStore",
    "OutboxStore",
    "ParkedStore",
    "ParkedView",
    "Receipts",
    "RecentEvents",
    "Retention",
    "RunStore",
    "RunViews",
    "SetupStore",
    "StatusStore",
    "Store",
    "StreamClockStore",
    "TypeStore",
    "WaitStore",
    "WorkerStore",
    "create_database",
    "examine",
    "migrate",
    "numbers",
    "pending",
]
