-- One lock per (automation, scope key), held to the end of the transaction.
-- $1 keys, sorted: all who take several take them in this order.
select pg_advisory_xact_lock(hashtextextended(key, 7))
  from unnest($1::text[]) with ordinality as gates (key, place)
 order by place;
