-- One row per admission, refusals too; active ones get the row of their frames.
-- :new_runs (id uuid, automation_id text, automation_name text, version integer, trigger_id text,
--     trigger_event_id text, trigger_payload bytea, trigger_time timestamptz, message_id text,
--     hop integer, actor bytea, context_key text, status text, reason text,
--     rank_time timestamptz, rank_sequence bigint, at timestamptz, queue_key text, queued boolean,
--     traceparent text, parent_run_id uuid, parent_path text, cancel_with_parent boolean,
--     body_id uuid)
-- :frames (id uuid, document bytea): what retries begin with
-- :worker_id uuid: owns those with status `running`
with born as (
    insert into runs (
        id, automation_id, automation_name, version, trigger_id, trigger_event_id, trigger_payload,
        trigger_time, message_id, hop, actor, context_key, status, reason, rank_time,
        rank_sequence, created_at, gate, queued, traceparent, parent_run_id, parent_path,
        cancel_with_parent, body_id, owner, epoch, started_at, finished_at
    )
    select id, automation_id, automation_name, version, trigger_id, trigger_event_id,
           trigger_payload, trigger_time, message_id, hop, actor, context_key, status, reason,
           rank_time, rank_sequence, at, queue_key, queued, traceparent, parent_run_id, parent_path,
           cancel_with_parent, body_id,
           case when status = 'running' then :worker_id end,
           case when status = 'running' then 1 else 0 end,
           case when status = 'running' then at end,
           case when status in ('skipped', 'cancelled') then at end
      from unnest(:new_runs) with ordinality
     order by place
    returning id, epoch, status
)
insert into run_frames (run_id, epoch, document)
select born.id, born.epoch, frames.document
  from born
  left join unnest(:frames) on frames.id = born.id
 where born.status in ('pending', 'running');
