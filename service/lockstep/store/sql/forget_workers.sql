-- Workers that are long gone and own nothing.
delete from workers w
 where w.heartbeat_at < clock_timestamp() - interval '1 hour'
   and not exists (select from runs r where r.owner = w.id);
