-- Run events that should have reached the bus by now. $1 seconds   $2 how many
select topic || ':' || seq as name
  from outbox
 where created_at < clock_timestamp() - make_interval(secs => $1)
 order by created_at, topic, seq
 limit $2;
