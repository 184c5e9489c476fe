-- What should have been published by now, oldest first: its worker died, or the bus was away.
-- $1 seconds   $2 how many
select topic, seq, subject, message_id, body, created_at
  from outbox
 where created_at < clock_timestamp() - make_interval(secs => $1)
 order by created_at, topic, seq
 limit $2;
