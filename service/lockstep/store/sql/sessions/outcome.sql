-- Say what has become of a transaction: `committed`, `aborted` or `in progress`. Nothing where that
-- cannot be known: another server answers, or it was long ago.
-- :id text, :history text
--
-- Locks nothing.
select pg_xact_status(:id::xid8)
 where left(pg_walfile_name(pg_current_wal_lsn()), 8) = :history
