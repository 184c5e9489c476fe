-- One import of a subscription at a time, over all replicas, until the end of the transaction.
-- $1 the mark of its automation
select pg_advisory_xact_lock(hashtextextended($1, 5));
