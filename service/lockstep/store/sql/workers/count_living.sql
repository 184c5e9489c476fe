-- How many workers live.
-- :stale_seconds float8
select count(*) from workers
 where heartbeat_at > clock_timestamp() - make_interval(secs => :stale_seconds);
