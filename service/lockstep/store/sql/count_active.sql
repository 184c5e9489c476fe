-- How many runs are active, by automation and context key.
-- Under the gate locks: no other transaction adds to these counts.
-- $1 automation ids
select automation_id, context_key, count(*) as active
  from runs
 where automation_id = any ($1::text[]) and status in ('pending', 'running', 'waiting')
 group by automation_id, context_key;
