-- How many runs are active: of whole automations, and of those context keys that are asked for. Keys
-- beside them are not looked at, however many sleep there.
-- Under the locks of the queues: no other transaction adds to these counts.
-- :automation_ids text[]: whole ones
-- :keys (automation_id text, context_key text)
select r.automation_id, null::text as context_key, count(*) as active
  from runs r
 where r.automation_id = any (:automation_ids) and r.status in ('pending', 'running', 'waiting')
 group by r.automation_id
 union all
select asked.automation_id, asked.context_key, n.active
  from (select * from unnest(:keys)) as asked
  cross join lateral (
       select count(*) as active
         from runs r
        where r.automation_id = asked.automation_id and r.context_key = asked.context_key
          and r.status in ('pending', 'running', 'waiting')
       ) as n
 where asked.context_key is not null
 union all
select asked.automation_id, null, n.active
  from (select * from unnest(:keys)) as asked
  cross join lateral (
       select count(*) as active
         from runs r
        where r.automation_id = asked.automation_id and r.context_key is null
          and r.status in ('pending', 'running', 'waiting')
       ) as n
 where asked.context_key is null;
