-- How many workers live. $1 seconds until one is stale
select count(*) from workers
 where heartbeat_at > clock_timestamp() - make_interval(secs => $1);
