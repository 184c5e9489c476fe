-- Store what many walks have done, each for itself: one whose epoch has moved on gives no row, and
-- nothing of it is written. One statement, so it is one commit for all of them.
-- A run goes to sleep only if no wait of it has fired since its walk looked: each firing raises
-- `wakes`. Else all is stored, but it stays with its owner. (A test for fired waits in here would
-- look at a snapshot that is older than the lock.)
-- Locks: runs by id (those that end, rest or sleep), then frames by run id, then their waits.
-- $1 run ids, sorted   $2 epochs   $3 wakes seen   $4 event seqs   $5 documents
-- $6 statuses: `running` goes on, `pending` is given up, `waiting` sleeps, others are final
-- $7 reasons   $8 errors   $9 times
-- steps: $10 run ids  $11 seqs  $12 paths  $13 ids  $14 kinds  $15 provider actions  $16 statuses
--        $17 attempts  $18 errors  $19 results  $20 items  $21 started  $22 finished
-- events: $23 run ids  $24 seqs  $25 subjects  $26 bodies
-- artifacts: $27 ids  $28 run ids  $29 automation ids  $30 action ids  $31 types  $32 data
--            $33 context keys
-- waits: $34 ids  $35 run ids  $36 kinds  $37 paths  $38 what for  $39 topics  $40 event ids
--        $41 context keys  $42 filters  $43 scopes  $44 due  $45 armed
-- waits that are over: $46 run ids  $47 ids
with walks as (
    select *
      from unnest($1::uuid[], $2::integer[], $3::integer[], $4::integer[], $5::bytea[],
                  $6::text[], $7::text[], $8::text[], $9::timestamptz[])
        as w (run_id, epoch, wakes, event_seq, document, status, reason, error, at)
),
leaving as (
    select r.id, r.epoch, r.wakes
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
    select w.run_id, w.event_seq, w.document, w.reason, w.error, w.at, l.wakes,
           case when w.status = 'waiting' and l.wakes <> w.wakes then 'running'
                else w.status end as status
      from walks w
      join locked on locked.run_id = w.run_id
      left join leaving l on l.id = w.run_id
),
moved as (
    update run_frames f
       set document = h.document, event_seq = h.event_seq
      from held h
     where f.run_id = h.run_id and h.status in ('running', 'pending', 'waiting')
),
dropped as (
    delete from run_frames f
     using held h
     where f.run_id = h.run_id and h.status not in ('running', 'pending', 'waiting')
    returning f.run_id, case when h.status = 'failed' then coalesce(h.document, f.document) end
              as document
),
-- What a failed run stood at, for its retry; or, where its walk cannot tell, what was stored last.
kept as (
    insert into failed_frames (run_id, document)
    select run_id, document from dropped where document is not null
),
ended as (
    update runs r
       set status = h.status, reason = h.reason, error_message = h.error, owner = null,
           finished_at = case when h.status not in ('pending', 'waiting') then h.at end
      from held h
     where r.id = h.run_id and h.status <> 'running'
),
steps as (
    insert into run_steps (
        run_id, seq, action_path, action_id, action_kind, provider_action_id, status, attempts,
        error_message, result, items, started_at, finished_at
    )
    select s.*
      from unnest($10::uuid[], $11::integer[], $12::text[], $13::text[], $14::text[], $15::text[],
                  $16::text[], $17::integer[], $18::text[], $19::bytea[], $20::bytea[],
                  $21::timestamptz[], $22::timestamptz[])
        as s (run_id, seq, action_path, action_id, action_kind, provider_action_id, status,
              attempts, error_message, result, items, started_at, finished_at)
      join held h on h.run_id = s.run_id
        on conflict (run_id, seq) do update
       set status = excluded.status, attempts = excluded.attempts,
           error_message = excluded.error_message,
           result = coalesce(excluded.result, run_steps.result),
           items = coalesce(excluded.items, run_steps.items), finished_at = excluded.finished_at
),
events as (
    insert into outbox (topic, seq, subject, message_id, body)
    select e.run_id::text, e.seq, e.subject, e.run_id::text || ':' || e.seq, e.body
      from unnest($23::uuid[], $24::bigint[], $25::text[], $26::bytea[])
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
      from unnest($27::uuid[], $28::uuid[], $29::text[], $30::text[], $31::text[], $32::bytea[],
                  $33::text[]) with ordinality
        as a (id, run_id, automation_id, action_id, artifact_type, data, context_key, place)
      join held h on h.run_id = a.run_id
     order by a.place
        on conflict do nothing
),
armed as (
    insert into waits (
        id, run_id, kind, action_path, waiting_for, topic, event_id, context_key, filter,
        run_scope, due_at, armed_at
    )
    select v.*
      from unnest($34::uuid[], $35::uuid[], $36::text[], $37::text[], $38::text[], $39::bytea[],
                  $40::text[], $41::text[], $42::text[], $43::bytea[], $44::timestamptz[],
                  $45::timestamptz[])
        as v (id, run_id, kind, action_path, waiting_for, topic, event_id, context_key, filter,
              run_scope, due_at, armed_at)
      join held h on h.run_id = v.run_id
        on conflict do nothing
),
over as (
    delete from waits v
     using unnest($46::uuid[], $47::uuid[]) as o (run_id, id), held h
     where v.id = o.id and h.run_id = o.run_id
),
gone as (
    delete from waits v
     using held h
     where v.run_id = h.run_id and h.status not in ('running', 'pending', 'waiting')
)
select run_id, wakes from held;
