-- Take parked runs that this worker has not tried; the longest parked first.
-- Locks: runs, then their frames; what others have locked is passed over.
-- :limit bigint, :worker_id uuid, :now timestamptz
with parked as (
    select id
      from runs
     where parked_at is not null and status = 'waiting' and :worker_id <> all (parked_tried)
     order by parked_at
     limit :limit
       for no key update skip locked
),
taken as (
    update runs r
       set status = 'running', owner = :worker_id, epoch = r.epoch + 1, parked_at = null,
           started_at = coalesce(r.started_at, :now)
      from parked
     where r.id = parked.id
    returning r.id, r.position, r.automation_id, r.automation_name, r.version, r.trigger_id,
              r.trigger_event_id, r.trigger_time, r.message_id, r.hop, r.actor, r.context_key,
              r.epoch, r.wakes, r.rank_time, r.rank_sequence, r.parent_run_id, r.started_at,
              r.finished_at, r.gate, r.traceparent, r.body_id,
              case when octet_length(r.trigger_payload) <= 8192 then r.trigger_payload end
              as trigger_payload
),
framed as (
    select run_id from run_frames
     where run_id in (select id from parked)
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
select taken.*, fenced.run_id is not null as has_frames, fenced.event_seq, fenced.document,
       fenced.has_large_document
  from taken
  left join fenced on fenced.run_id = taken.id
 order by taken.rank_time, taken.rank_sequence, taken.position;
