-- Active runs with their rank. Under the locks of the queues.
-- :automation_ids text[]
select id, automation_id, context_key, rank_time, rank_sequence
  from runs
 where automation_id = any (:automation_ids) and status in ('pending', 'running', 'waiting');
