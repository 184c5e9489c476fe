-- Store what many walks have done, each for itself: one whose epoch has moved on gives no row, and
-- nothing of it is written. One statement, so it is one commit for all of them.
-- A run goes to sleep only if no wait of it has fired since its walk looked: each firing raises
-- `wakes`. Else all is stored, but it stays with its owner. (A test for fired waits in here would
-- look at a snapshot that is older than the lock.)
-- A commit that was in doubt is tried again. One that has let the run go keeps its epoch until the
-- next owner comes: that there is an owner tells it from one that was not done.
-- So an event whose seq is taken is that event, and left out: seqs are counted on from the row of
-- frames that is held here, and one that was made again begins behind the outbox.
-- Locks: runs by id (those that end, rest or sleep, or of which waits are over: who fires a wait
-- locks its run first), then frames by run id, then their waits.
-- :walks (run_id uuid, epoch integer, wakes integer, event_seq integer, document bytea,
--     status text, reason text, error text, at timestamptz): sorted by run id; `wakes` as the walk
--     saw them; status `running` goes on, `pending` is given up, `waiting` sleeps, others are final
-- :steps (run_id uuid, seq integer, path text, action_id text, kind text, provider_action_id text,
--     status text, attempts integer, error text, result bytea, items bytea,
--     started_at timestamptz, finished_at timestamptz, io bytea): `io` has further lines of what
--     is kept of the step; those of a commit that was in doubt may be there already
-- :events (run_id uuid, seq bigint, subject text, body bytea)
-- :artifacts (id uuid, run_id uuid, automation_id text, action_id text, artifact_type text,
--     data bytea, context_key text)
-- :waits (id uuid, run_id uuid, kind text, path text, waiting_for text, topic bytea, event_id text,
--     context_key text, filter text, run_scope bytea, due_at timestamptz, armed_at timestamptz,
--     look_back float8): one that looks back is armed later, see recent/looking
-- :over (run_id uuid, id uuid): waits that were taken up
with walks as (
    select * from unnest(:walks)
),
leaving as (
    select r.id, r.epoch, r.wakes, r.owner
      from runs r
      join walks w on w.run_id = r.id
     where w.status <> 'running' or w.run_id in (select over.run_id from unnest(:over))
     order by r.id
       for no key update of r
),
locked as (
    select f.run_id
      from run_frames f
      join walks w on w.run_id = f.run_id and w.epoch = f.epoch
     where (select count(*) from leaving) >= 0 -- so that all of those are locked before
       and (w.status = 'running'
            or exists (select from leaving l where l.id = f.run_id and l.epoch = w.epoch
                                                 and l.owner is not null))
     order by f.run_id
       for no key update of f
),
owned as (
    select w.run_id, w.event_seq, w.document, w.reason, w.error, w.at,
           case when w.status <> 'running' then l.wakes end as wakes,
           case when w.status = 'waiting' and l.wakes <> w.wakes then 'running'
                else w.status end as status
      from walks w
      join locked on locked.run_id = w.run_id
      left join leaving l on l.id = w.run_id
),
moved as (
    update run_frames f
       set document = o.document, event_seq = o.event_seq
      from owned o
     where f.run_id = o.run_id and o.status in ('running', 'pending', 'waiting')
),
dropped as (
    delete from run_frames f
     using owned o
     where f.run_id = o.run_id and o.status not in ('running', 'pending', 'waiting')
    returning f.run_id, case when o.status = 'failed' then coalesce(o.document, f.document) end
              as document
),
-- What a failed run stood at, for its retry; or, where its walk cannot tell, what was stored last.
kept as (
    insert into failed_frames (run_id, document)
    select run_id, document from dropped where document is not null
),
ended as (
    update runs r
       set status = o.status, reason = o.reason, error_message = o.error, owner = null,
           finished_at = case when o.status not in ('pending', 'waiting') then o.at end
      from owned o
     where r.id = o.run_id and o.status <> 'running'
),
steps as (
    insert into run_steps (
        run_id, seq, action_path, action_id, action_kind, provider_action_id, status, attempts,
        error_message, result, items, started_at, finished_at, io
    )
    select steps.*
      from unnest(:steps)
      join owned o on o.run_id = steps.run_id
        on conflict (run_id, seq) do update
       set status = excluded.status, attempts = excluded.attempts,
           error_message = excluded.error_message,
           result = coalesce(excluded.result, run_steps.result),
           items = coalesce(excluded.items, run_steps.items), finished_at = excluded.finished_at,
           io = case when excluded.io is null then run_steps.io
                     when substring(run_steps.io from octet_length(run_steps.io) + 1
                                                      - octet_length(excluded.io)) = excluded.io
                     then run_steps.io
                     else coalesce(run_steps.io, '') || excluded.io end
),
events as (
    insert into outbox (topic, seq, subject, message_id, body)
    select o.run_id::text, seq, subject, o.run_id::text || ':' || seq, body
      from unnest(:events)
      join owned o on o.run_id = events.run_id
        on conflict do nothing -- a commit that was in doubt is tried again
),
made as (
    insert into artifacts (
        id, run_id, automation_id, action_id, artifact_type, data, context_key, created_at
    )
    select id, o.run_id, automation_id, action_id, artifact_type, data, context_key, o.at
      from unnest(:artifacts) with ordinality
      join owned o on o.run_id = artifacts.run_id
     order by place
        on conflict do nothing
),
armed as (
    insert into waits (
        id, run_id, kind, action_path, waiting_for, topic, event_id, context_key, filter,
        run_scope, due_at, armed_at, look_back, state
    )
    select waits.*, case when waits.look_back is null then 'armed' else 'looking' end
      from unnest(:waits)
      join owned o on o.run_id = waits.run_id
        on conflict do nothing
),
over as (
    delete from waits v
     using unnest(:over), owned o
     where v.id = over.id and o.run_id = over.run_id
),
gone as (
    delete from waits v
     using owned o
     where v.run_id = o.run_id and o.status not in ('running', 'pending', 'waiting')
)
select run_id, wakes from owned;
