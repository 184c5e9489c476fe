-- Workers that are long gone and own nothing; for an hour the doctor shows them.
delete from workers w
 where w.heartbeat_at < clock_timestamp() - interval '1 hour'
   and not exists (select from runs r where r.owner = w.id);
