-- One import of a subscription at a time, over all replicas, until the end of the transaction.
-- Locks: the import.
-- :mark text: the mark of its automation
select pg_advisory_xact_lock(hashtextextended(:mark, 5));
