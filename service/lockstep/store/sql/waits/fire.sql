-- Fire waits, each at most once, and let go on the runs that sleep: they are ready then. The owner
-- of one that is awake is given, to be told. A deadline fires nothing: see waits/due_deadlines;
-- nor does a kind that is not named.
-- Locks: runs by id, then their waits.
-- :given (id uuid, payload bytea)
-- :cause text: `event`, `incomplete`, or `due` for those whose time has come
-- :now timestamptz, :kinds text[]
with named as (
    select given.id, given.payload, w.run_id
      from unnest(:given)
      join waits w on w.id = given.id and w.state = 'armed'
       and w.kind = any (:kinds)
),
locked as (
    select id
      from runs
     where id in (select run_id from named) and status in ('pending', 'running', 'waiting')
     order by id
       for no key update
),
fired as (
    update waits w
       set state = 'fired', cause = :cause, payload = n.payload, fired_at = :now
      from named n
      join locked l on l.id = n.run_id
     where w.id = n.id and w.state = 'armed' and (:cause <> 'due' or w.due_at <= :now)
    returning w.id, w.run_id, w.kind, w.armed_at, w.due_at
),
woken as (
    update runs r
       set wakes = r.wakes + 1,
           -- A parked run goes on sleeping: who can read it takes it up, and what has fired with it.
           status = case when r.status = 'waiting' and r.parked_at is null then 'pending'
                         else r.status end
      from (select distinct run_id from fired) as f
     where r.id = f.run_id
    returning r.id, r.owner
)
select f.id, f.run_id, f.kind, f.armed_at, f.due_at, w.owner
  from fired f
  join woken w on w.id = f.run_id;
