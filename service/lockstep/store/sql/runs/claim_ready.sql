-- Take runs that wait for a place: in turn from each automation that has some, and of each in the
-- order of the stream, so that a flood for one does not hold up the others.
-- The first part steps from automation to automation along the index (PostgreSQL wiki, Loose
-- indexscan).
-- There is always a row: `seen` says how many were ready; those that others have locked are passed over.
-- What is large of a run is left out, so that what comes back is bounded: see runs/large.
-- Locks: runs, then their frames by run id; runs that others have locked are passed over.
-- :limit bigint, :worker_id uuid, :now timestamptz
with recursive automations_ready as (
    (select automation_id from runs
      where status = 'pending' and not queued
      order by automation_id
      limit 1)
    union all
    select (select r.automation_id from runs r
             where r.status = 'pending' and not r.queued and r.automation_id > a.automation_id
             order by r.automation_id
             limit 1)
      from automations_ready a
     where a.automation_id is not null
),
first_ones as (
    select r.id, r.rank_time, r.rank_sequence, r.position, r.turn
      from automations_ready a
     cross join lateral (
           select n.id, n.rank_time, n.rank_sequence, n.position,
                  row_number() over (order by n.rank_time, n.rank_sequence, n.position) as turn
             from runs n
            where n.automation_id = a.automation_id and n.status = 'pending' and not n.queued
            order by n.rank_time, n.rank_sequence, n.position
            limit :limit
           ) as r
     where a.automation_id is not null
     order by r.turn, r.rank_time, r.rank_sequence, r.position
     limit :limit
),
ready as (
    select id
      from runs
     where id in (select id from first_ones) and status = 'pending' and not queued
       for no key update skip locked
),
taken as (
    update runs r
       set status = 'running', owner = :worker_id, epoch = r.epoch + 1,
           started_at = coalesce(r.started_at, :now)
      from ready
     where r.id = ready.id
    returning r.id, r.position, r.automation_id, r.automation_name, r.version, r.trigger_id,
              r.trigger_event_id, r.trigger_time, r.message_id, r.hop, r.actor, r.context_key,
              r.epoch, r.wakes, r.rank_time, r.rank_sequence, r.parent_run_id, r.started_at,
              r.finished_at, r.gate, r.traceparent, r.body_id,
              case when octet_length(r.trigger_payload) <= 8192 then r.trigger_payload end
              as trigger_payload
),
framed as (
    select run_id from run_frames
     where run_id in (select id from ready)
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
select looked.seen, claimed.*
  from (select count(*) as seen from first_ones) as looked
  left join (
       select taken.*, fenced.run_id is not null as has_frames, fenced.event_seq,
              fenced.document, fenced.has_large_document
         from taken
         left join fenced on fenced.run_id = taken.id
       ) as claimed on true
 order by claimed.rank_time, claimed.rank_sequence, claimed.position;
