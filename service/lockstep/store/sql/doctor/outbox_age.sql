-- Run events that should have reached the bus by now.
-- :seconds float8, :limit bigint
select topic || ':' || seq as name
  from outbox
 where created_at < clock_timestamp() - make_interval(secs => :seconds)
 order by created_at, topic, seq
 limit :limit;
