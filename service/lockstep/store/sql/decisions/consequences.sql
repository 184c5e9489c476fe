-- What became of one event: decisions, and the runs that it asked for.
-- :delivery text, :event_id text, :sequence bigint
-- :automation_id text: or null for all
(select automation_id, nullif(trigger_id, '') as trigger_id,
        case when gate = 'wait' then 'woke' else 'refused' end as outcome,
        gate, detail, null::uuid as run_id
   from judgements
  where delivery = :delivery and (:automation_id is null or automation_id = :automation_id)
  order by position)
union all
(select automation_id, trigger_id,
        case when status in ('skipped', 'cancelled') and started_at is null then status
             else 'started' end as outcome,
        case when status = 'skipped' then 'mode' end as gate, reason as detail, id as run_id
   from runs
  where trigger_event_id = :event_id and rank_sequence = :sequence
    and (:automation_id is null or automation_id = :automation_id)
  order by position);
