-- A change of an automation is about to commit: later batches of events reload.
-- Taken last in its transaction, because every change waits for this row.
-- Locks: the revision.
update catalog_revision set revision = revision + 1 returning revision;
