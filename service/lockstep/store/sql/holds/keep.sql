-- Keep events of holders, which are locked; holds that stand no more become such events.
-- Locks: timers.
-- :ended (id uuid, time timestamptz, sequence bigint, waits boolean): what waits may start a run yet
-- :events (automation_id text, trigger_id text, topic bytea, context_key text, time timestamptz,
--     sequence bigint, due_at timestamptz, event bytea)
with over as (
    delete from timers t
     using unnest(:ended)
     where t.id = ended.id
    returning t.automation_id, t.trigger_id, t.topic, t.context_key, ended.time, ended.sequence,
              t.due_at, case when ended.waits then t.event end as event
)
insert into hold_events (
    automation_id, trigger_id, topic, context_key, time, sequence, due_at, event
)
select * from over
 union all
select * from unnest(:events)
    on conflict do nothing;
