-- The last events that an automation refused, and runs of it that its mode refused, newest first:
-- among the last 20 000 decisions and the last 2000 runs, in which no index finds them.
-- :automation_id text, :limit bigint
(select automation_id, delivery, event_id, message_id, nullif(trigger_id, '') as trigger_id,
        'refused' as outcome, gate, detail, judged_at as at, run_id, action_path
   from (select * from judgements order by position desc limit 20000) as recent
  where automation_id = :automation_id and gate not in ('wait', 'wait_filter')
  order by position desc
  limit :limit)
union all
(select automation_id, '' as delivery, trigger_event_id, null, trigger_id, 'skipped', 'mode',
        reason, finished_at, id, null
   from (select * from runs -- `=` would let the index of all runs be read, to its end
          where automation_id between :automation_id and :automation_id
          order by automation_id desc, position desc
          limit 2000) as newest
  where status = 'skipped'
  order by position desc
  limit :limit)
 order by at desc nulls last
 limit :limit;
