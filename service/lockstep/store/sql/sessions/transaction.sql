-- Name the transaction that this is part of, and the history of the server that it belongs to: a
-- standby that takes over begins another one, in which the same number may stand for another.
--
-- Locks nothing.
select pg_current_xact_id()::text as id, left(pg_walfile_name(pg_current_wal_lsn()), 8) as history
