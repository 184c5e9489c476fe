-- Let the schedules of an automation be what its definition says: what is as before keeps its time.
-- $1 automation id   $2 ids   $3 trigger ids   $4 schedules   $5 due   $6 now
with wanted as (
    select *
      from unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
        as w (id, trigger_id, schedule, due_at)
),
gone as (
    delete from timers t
     where t.automation_id = $1
       and t.kind = 'schedule'
       and not exists (
           select from wanted w where w.trigger_id = t.trigger_id and w.schedule = t.schedule
       )
    returning t.trigger_id
),
added as (
    insert into timers (id, kind, automation_id, trigger_id, topic, schedule, armed_at, due_at)
    select w.id, 'schedule', $1, w.trigger_id, convert_to(left(md5(w.schedule), 16), 'UTF8'),
           w.schedule, $6, w.due_at
      from wanted w
     where not exists (
           select from timers t
            where t.automation_id = $1 and t.kind = 'schedule' and t.trigger_id = w.trigger_id
              and t.schedule = w.schedule
           )
    returning id, due_at
)
select id, due_at from added;
