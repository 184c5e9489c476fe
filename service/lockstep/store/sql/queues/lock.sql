-- One lock for each key of a queue, a window or a hold, to the end of the transaction.
-- Locks: keys, in the order of their bytes, whatever the collation of the database is.
-- :keys text[]
select pg_advisory_xact_lock(hashtextextended(key, 7))
  from (select key from unnest(:keys) as keys (key) order by key collate "C") as sorted;
