-- Let the schedules of an automation be what its definition says: what is as before keeps its time.
-- :automation_id text, :now timestamptz
-- :schedules (id uuid, trigger_id text, schedule text, due_at timestamptz)
with wanted as (
    select * from unnest(:schedules)
),
gone as (
    delete from timers t
     where t.automation_id = :automation_id
       and t.kind = 'schedule'
       and not exists (
           select from wanted w where w.trigger_id = t.trigger_id and w.schedule = t.schedule
       )
    returning t.trigger_id
),
added as (
    insert into timers (id, kind, automation_id, trigger_id, topic, schedule, armed_at, due_at)
    select w.id, 'schedule', :automation_id, w.trigger_id,
           convert_to(left(md5(w.schedule), 16), 'UTF8'), w.schedule, :now, w.due_at
      from wanted w
     where not exists (
           select from timers t
            where t.automation_id = :automation_id and t.kind = 'schedule'
              and t.trigger_id = w.trigger_id and t.schedule = w.schedule
           )
    returning id, due_at
)
select id, due_at from added;
