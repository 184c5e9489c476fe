-- Active runs with their rank. Under the gate locks. $1 automation ids
select id, automation_id, context_key, rank_time, rank_sequence
  from runs
 where automation_id = any ($1::text[]) and status in ('pending', 'running', 'waiting');
