-- How many runs are active, by automation and context key.
-- Under the locks of the queues: no other transaction adds to these counts.
-- :automation_ids text[]
select automation_id, context_key, count(*) as active
  from runs
 where automation_id = any (:automation_ids) and status in ('pending', 'running', 'waiting')
 group by automation_id, context_key;
