-- Damage, for test cases: workers look as if they had not been heard of for so long.
-- $1 seconds   $2 those that live, and would have been heard of
update workers
   set heartbeat_at = heartbeat_at - make_interval(secs => $1)
 where id <> all ($2::uuid[]);
