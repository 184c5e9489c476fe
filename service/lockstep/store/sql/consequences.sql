-- What became of one event: judgements, and the runs that it asked for.
-- $1 delivery   $2 event id   $3 its sequence   $4 automation id, or null for all
(select automation_id, nullif(trigger_id, '') as trigger_id,
        case when gate = 'wait' then 'woke' else 'refused' end as outcome,
        gate, detail, null::uuid as run_id
   from judgements
  where delivery = $1 and ($4::text is null or automation_id = $4)
  order by position)
union all
(select automation_id, trigger_id,
        case when status in ('skipped', 'cancelled') and started_at is null then status
             else 'started' end as outcome,
        case when status = 'skipped' then 'mode' end as gate, reason as detail, id as run_id
   from runs
  where trigger_event_id = $2 and rank_sequence = $3 and ($4::text is null or automation_id = $4)
  order by position);
