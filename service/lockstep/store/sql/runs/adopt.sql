-- Take the runs of workers that are gone: who asks has seen no other beat of them for long, and
-- there is none, or their row is no more.
-- The first parts step from owner to owner along the index, so that the cost is that of the owners
-- and not of all runs that are kept, whatever the planner knows of them.
-- What is large of a run is left out, so that what comes back is bounded: see runs/large.
-- Locks: runs, then their frames by run id; runs that others have locked are passed over.
-- :limit bigint, :worker_id uuid
-- :stale (id uuid, heartbeat_at timestamptz): workers that are taken for dead, with their last beat
with recursive owners as (
    (select owner from runs where owner is not null order by owner limit 1)
    union all
    select (select r.owner from runs r where r.owner > o.owner order by r.owner limit 1)
      from owners o
     where o.owner is not null
),
dead as materialized (
    select o.owner
      from owners o
     where o.owner is not null
       and o.owner <> :worker_id
       and not exists (
           select from workers w
            where w.id = o.owner
              and not exists (
                  select from unnest(:stale)
                   where stale.id = w.id and stale.heartbeat_at = w.heartbeat_at
                  )
       )
),
candidates as materialized (
    select r.id
      from dead d
     cross join lateral (
           select id from runs where owner = d.owner order by owner limit :limit
           ) as r
     limit :limit
),
orphans as (
    select id
      from runs
     where id in (select id from candidates) and owner in (select owner from dead)
     order by id
       for no key update skip locked
),
taken as (
    update runs r
       set owner = :worker_id, epoch = r.epoch + 1
      from orphans
     where r.id = orphans.id
    returning r.id, r.position, r.automation_id, r.automation_name, r.version, r.trigger_id,
              r.trigger_event_id, r.trigger_time, r.message_id, r.hop, r.actor, r.context_key,
              r.epoch, r.wakes, r.rank_time, r.rank_sequence, r.parent_run_id, r.started_at,
              r.finished_at, r.gate, r.traceparent, r.body_id,
              case when octet_length(r.trigger_payload) <= 8192 then r.trigger_payload end
              as trigger_payload
),
framed as (
    select run_id from run_frames
     where run_id in (select id from orphans)
     order by run_id
       for no key update
),
fenced as (
    update run_frames f
       set epoch = taken.epoch
      from framed
      join taken on taken.id = framed.run_id
     where f.run_id = framed.run_id
    returning f.run_id, f.event_seq,
              case when octet_length(f.document) <= 65536 then f.document end as document,
              octet_length(f.document) > 65536 as has_large_document
)
select taken.*, fenced.run_id is not null as has_frames, fenced.event_seq,
       fenced.document, fenced.has_large_document
  from taken
  left join fenced on fenced.run_id = taken.id
 order by taken.rank_time, taken.rank_sequence, taken.position;
