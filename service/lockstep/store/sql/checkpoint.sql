-- Store what many walks have done, each for itself: one whose epoch has moved on gives no row, and
-- nothing of it is written. One statement, so it is one commit for all of them.
-- Locks: runs by id (those that end), then frames by run id.
-- $1 run ids, sorted   $2 epochs   $3 event seqs   $4 documents
-- $5 statuses: `running` goes on, `pending` is given up, others are final
-- $6 reasons   $7 errors   $8 times
-- steps: $9 run ids  $10 seqs  $11 paths  $12 ids  $13 kinds  $14 provider actions  $15 statuses
--        $16 attempts  $17 errors  $18 results  $19 items  $20 started  $21 finished
-- events: $22 run ids  $23 seqs  $24 subjects  $25 bodies
-- artifacts: $26 ids  $27 run ids  $28 automation ids  $29 action ids  $30 types  $31 data
--            $32 context keys
with walks as (
    select *
      from unnest($1::uuid[], $2::integer[], $3::integer[], $4::bytea[], $5::text[], $6::text[],
                  $7::text[], $8::timestamptz[])
        as w (run_id, epoch, event_seq, document, status, reason, error, at)
),
leaving as (
    select r.id, r.epoch
      from runs r
      join walks w on w.run_id = r.id and w.status <> 'running'
     order by r.id
       for update of r
),
locked as (
    select f.run_id
      from run_frames f
      join walks w on w.run_id = f.run_id and w.epoch = f.epoch
     where w.status = 'running'
        or exists (select from leaving l where l.id = f.run_id and l.epoch = w.epoch)
     order by f.run_id
       for update of f
),
held as (
    select w.* from walks w join locked l on l.run_id = w.run_id
),
moved as (
    update run_frames f
       set document = h.document, event_seq = h.event_seq
      from held h
     where f.run_id = h.run_id and h.status in ('running', 'pending')
),
dropped as (
    delete from run_frames f
     using held h
     where f.run_id = h.run_id and h.status not in ('running', 'pending')
),
ended as (
    update runs r
       set status = h.status, reason = h.reason, error_message = h.error, owner = null,
           finished_at = case when h.status <> 'pending' then h.at end
      from held h
     where r.id = h.run_id and h.status <> 'running'
),
steps as (
    insert into run_steps (
        run_id, seq, action_path, action_id, action_kind, provider_action_id, status, attempts,
        error_message, result, items, started_at, finished_at
    )
    select s.*
      from unnest($9::uuid[], $10::integer[], $11::text[], $12::text[], $13::text[], $14::text[],
                  $15::text[], $16::integer[], $17::text[], $18::bytea[], $19::bytea[],
                  $20::timestamptz[], $21::timestamptz[])
        as s (run_id, seq, action_path, action_id, action_kind, provider_action_id, status,
              attempts, error_message, result, items, started_at, finished_at)
      join held h on h.run_id = s.run_id
        on conflict (run_id, seq) do update
       set status = excluded.status, attempts = excluded.attempts,
           error_message = excluded.error_message, result = excluded.result,
           items = coalesce(excluded.items, run_steps.items), finished_at = excluded.finished_at
),
events as (
    insert into outbox (topic, seq, subject, message_id, body)
    select e.run_id::text, e.seq, e.subject, e.run_id::text || ':' || e.seq, e.body
      from unnest($22::uuid[], $23::bigint[], $24::text[], $25::bytea[])
        as e (run_id, seq, subject, body)
      join held h on h.run_id = e.run_id
        on conflict do nothing -- a commit that was in doubt is tried again
),
made as (
    insert into artifacts (
        id, run_id, automation_id, action_id, artifact_type, data, context_key, created_at
    )
    select a.id, a.run_id, a.automation_id, a.action_id, a.artifact_type, a.data, a.context_key,
           h.at
      from unnest($26::uuid[], $27::uuid[], $28::text[], $29::text[], $30::text[], $31::bytea[],
                  $32::text[]) with ordinality
        as a (id, run_id, automation_id, action_id, artifact_type, data, context_key, place)
      join held h on h.run_id = a.run_id
     order by a.place
        on conflict do nothing
)
select run_id from held;
