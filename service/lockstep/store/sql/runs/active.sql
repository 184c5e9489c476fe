-- Active runs with their rank: of whole automations, and of those context keys that are asked for.
-- Under the locks of the queues.
-- :automation_ids text[]: whole ones
-- :keys (automation_id text, context_key text)
select r.id, r.automation_id, r.context_key, r.rank_time, r.rank_sequence
  from runs r
 where r.automation_id = any (:automation_ids) and r.status in ('pending', 'running', 'waiting')
 union all
select r.id, r.automation_id, r.context_key, r.rank_time, r.rank_sequence
  from unnest(:keys)
  join runs r on r.automation_id = keys.automation_id and r.context_key = keys.context_key
 where r.status in ('pending', 'running', 'waiting')
 union all
select r.id, r.automation_id, r.context_key, r.rank_time, r.rank_sequence
  from unnest(:keys)
  join runs r on r.automation_id = keys.automation_id and r.context_key is null
 where keys.context_key is null and r.status in ('pending', 'running', 'waiting');
