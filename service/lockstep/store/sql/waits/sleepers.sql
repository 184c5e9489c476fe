-- What sleeps and has a key on the bus, by id: a page after an id.
-- :after uuid, :limit bigint
-- :key_seconds float8: who sleeps for less has none
select *
  from (
       (select w.id, w.run_id, w.kind, w.action_path, w.waiting_for, w.event_id, w.context_key,
               w.due_at, w.armed_at, r.automation_id, r.automation_name
          from waits w
          join runs r on r.id = w.run_id
         where w.id > :after
           and w.state = 'armed'
           and (w.due_at is null or w.due_at > w.armed_at + make_interval(secs => :key_seconds))
         order by w.id
         limit :limit)
       union all
       (select t.id, null, t.kind, '', 'trigger ' || t.trigger_id || ' holds', null, t.context_key,
               t.due_at, t.armed_at, t.automation_id, null
          from timers t
         where t.id > :after
           and t.kind = 'hold'
           and t.due_at > t.armed_at + make_interval(secs => :key_seconds)
         order by t.id
         limit :limit)
       ) as sleeping
 order by id
 limit :limit;
