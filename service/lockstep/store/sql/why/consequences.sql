-- What became of one event: decisions, the runs that it asked for, and for whom it is parked.
-- :delivery text, :event_id text, :sequence bigint
-- :time timestamptz: of the stream, or null: of a stream that was made anew sequences come again
-- :automation_id text: or null for all
(select automation_id, nullif(trigger_id, '') as trigger_id,
        case gate when 'wait' then 'woke' when 'wait_filter' then 'passed_over' else 'refused' end
            as outcome,
        gate, detail, run_id, action_path
   from judgements
  where delivery = :delivery and (:automation_id is null or automation_id = :automation_id)
  order by position)
union all
(select automation_id, trigger_id,
        case when status in ('skipped', 'cancelled') and started_at is null then status
             else 'started' end as outcome,
        case when status = 'skipped' then 'mode' end as gate, reason as detail, id as run_id,
        null as action_path
   from runs
  where trigger_event_id = :event_id and rank_sequence = :sequence
    and (:time is null or trigger_time = :time)
    and (:automation_id is null or automation_id = :automation_id)
  order by position)
union all
(select p.automation_id, null, 'parked', null,
        'this version cannot handle it (' || p.parked_reason || '): `lockstep parked show event:'
        || p.id || '`',
        w.run_id, w.action_path
   from parked_events p
   left join waits w on w.id = p.wait_id
  where p.delivery = :delivery and (:automation_id is null or p.automation_id = :automation_id)
  order by p.id);
