-- One row per admission, refusals too; active ones get the row of their frames.
-- $1..$23 arrays in the order of the columns; $24 the worker, for those with status `running`
-- $25 documents: what retries begin with
with born as (
    insert into runs (
        id, automation_id, automation_name, version, trigger_id, trigger_event_id, trigger_payload,
        trigger_time, message_id, hop, actor, context_key, status, reason, rank_time,
        rank_sequence, created_at, gate, queued, traceparent, parent_run_id, parent_path,
        cancel_with_parent, owner, epoch, started_at, finished_at
    )
    select b.id, b.automation_id, b.automation_name, b.version, b.trigger_id, b.trigger_event_id,
           b.trigger_payload, b.trigger_time, b.message_id, b.hop, b.actor, b.context_key,
           b.status, b.reason, b.rank_time, b.rank_sequence, b.created_at, b.gate, b.queued,
           b.traceparent, b.parent_run_id, b.parent_path, b.cancel_with_parent,
           case when b.status = 'running' then $24::uuid end,
           case when b.status = 'running' then 1 else 0 end,
           case when b.status = 'running' then b.created_at end,
           case when b.status in ('skipped', 'cancelled') then b.created_at end
      from unnest(
               $1::uuid[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::text[],
               $7::bytea[], $8::timestamptz[], $9::text[], $10::integer[], $11::bytea[],
               $12::text[], $13::text[], $14::text[], $15::timestamptz[], $16::bigint[],
               $17::timestamptz[], $18::text[], $19::boolean[], $20::text[], $21::uuid[],
               $22::text[], $23::boolean[]
           ) with ordinality as b (
               id, automation_id, automation_name, version, trigger_id, trigger_event_id,
               trigger_payload, trigger_time, message_id, hop, actor, context_key, status, reason,
               rank_time, rank_sequence, created_at, gate, queued, traceparent, parent_run_id,
               parent_path, cancel_with_parent, place
           )
     order by b.place
    returning id, epoch, status
)
insert into run_frames (run_id, epoch, document)
select born.id, born.epoch, d.document
  from born
  join unnest($1::uuid[], $25::bytea[]) as d (id, document) on d.id = born.id
 where born.status in ('pending', 'running');
