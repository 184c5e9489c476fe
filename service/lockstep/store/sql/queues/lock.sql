-- One lock for each key of a queue, a window or a hold, to the end of the transaction.
-- Locks: keys: all who take several take them sorted.
-- :keys text[]: sorted
select pg_advisory_xact_lock(hashtextextended(key, 7))
  from unnest(:keys) with ordinality as keys (key, place)
 order by place;
