-- What should have been published by now, oldest first: its worker died, or the bus was away.
-- :seconds float8, :limit bigint
select topic, seq, subject, message_id, body, created_at
  from outbox
 where created_at < clock_timestamp() - make_interval(secs => :seconds)
 order by created_at, topic, seq
 limit :limit;
