-- End active runs from outside: final status, fenced, without owner, waits gone, live steps failed.
-- A run that has ended is left as it is, and gives no row.
-- The payload, which may be large, is of no use any more and left out.
-- Locks: waits. Their runs and frames are held: runs/hold goes before, in a statement of its own;
-- where a run has no frames, runs/revive_frames too: it needs the waits that are deleted here.
-- :run_ids uuid[], :status text, :reason text, :error text, :now timestamptz
with active as (
    select id, owner
      from runs
     where id = any (:run_ids) and status in ('pending', 'running', 'waiting')
),
cancelled as (
    update runs r
       set status = :status, reason = :reason, error_message = :error, owner = null,
           queued = false, stopped = true, epoch = r.epoch + 1, finished_at = :now
      from active
     where r.id = active.id
    returning r.id, r.position, r.automation_id, r.automation_name, r.version, r.trigger_id,
              r.trigger_event_id, r.trigger_time, r.message_id, r.hop, r.actor, r.context_key,
              r.epoch, r.wakes, r.rank_time, r.rank_sequence, r.parent_run_id, r.started_at,
              r.finished_at, r.gate, r.traceparent, active.owner as last_owner
),
dropped as (
    delete from run_frames f
     using cancelled c
     where f.run_id = c.id
    returning f.run_id, f.event_seq, f.document
),
-- What a failed run stood at, for its retry.
kept as (
    insert into failed_frames (run_id, document)
    select run_id, document from dropped where :status = 'failed' and document is not null
),
waits_gone as (
    delete from waits w using cancelled c where w.run_id = c.id returning w.id, w.run_id, w.kind
),
steps as (
    update run_steps s
       set status = 'failed', error_message = 'cancelled', finished_at = :now
      from cancelled c
     where s.run_id = c.id and s.status in ('running', 'waiting')
)
select c.*, true as has_frames, d.event_seq, null::bytea as document,
       array(select w.id from waits_gone w
              where w.run_id = c.id and w.kind in ('event', 'remote', 'child')) as awaited,
       array(select w.id from waits_gone w
              where w.run_id = c.id and w.kind not in ('event', 'remote', 'child')) as delays
  from cancelled c
  join dropped d on d.run_id = c.id
 order by c.position;
