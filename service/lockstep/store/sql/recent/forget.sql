-- Forget events that no wait can look back on, of one page: those that no version asks for, and those
-- that are too old for each that does: so long before all that runs there, or may yet begin to (holds,
-- parked events). A run that is retried may ask all the same: up to where is remembered, as in recent/drop.
-- Locks: the rows, by nobody else; what others have locked is passed over; the marks by event id and
-- topic.
-- :before timestamptz: older than what begins now looks back on; :longest float8: seconds, a look-back at most
-- :after bigint, :limit bigint
with asking as materialized (
    select automation_id, version, unnest(looks_back) as event_id
      from automation_versions
     where looks_back is not null
),
-- read where a page has what is so old, only
begun as materialized (
    select a.event_id, min(least(run.time, hold.time, held.time, parked.time)) as time
      from asking a
      left join lateral (
           select min(r.trigger_time) as time from runs r
            where r.automation_id = a.automation_id and r.version = a.version
              and r.status in ('pending', 'running', 'waiting')
           ) as run on true
      left join lateral (
           select min(t.event_time) as time from timers t where t.automation_id = a.automation_id
           ) as hold on true
      left join lateral (
           select min(h.time) as time from hold_events h where h.automation_id = a.automation_id
           ) as held on true
      left join lateral (
           select min(p.time) as time from parked_events p where p.automation_id = a.automation_id
           ) as parked on true
     group by a.event_id
),
page as materialized (
    select position, event_id, time
      from recent_events
     where position > :after
     order by position
     limit :limit
),
old as materialized (
    select p.position
      from page p
     where not exists (select from asking a where a.event_id = p.event_id)
        or p.time < :before
           and (select p.time < b.time - make_interval(secs => :longest) or b.time is null
                  from begun b where b.event_id = p.event_id)
),
free as materialized (
    select position from recent_events
     where position = any (array(select position from old))
       for update skip locked
),
gone as (
    delete from recent_events where position = any (array(select position from free))
    returning event_id, topic, time, sequence, size
),
less as (
    insert into recent_sizes (bytes) select -sum(size) from gone having count(*) > 0
),
newest as (
    select distinct on (event_id, topic) event_id, topic, time, sequence
      from gone
     order by event_id, topic, time desc, sequence desc
),
noted as (
    insert into dropped_events (event_id, topic, time, sequence)
    select event_id, topic, time, sequence from newest order by event_id collate "C", topic
        on conflict (event_id, topic) do update
       set time = excluded.time, sequence = excluded.sequence
     where (dropped_events.time, dropped_events.sequence) < (excluded.time, excluded.sequence)
)
select (select count(*) from page) as looked, (select max(position) from page) as last,
       (select count(*) from gone) as gone;
