-- The statements of the version before, and the migration up to which it knew the schema.
-- Written anew at each release: python tests/upgrade/snapshot.py REVISION
-- schema: 0008_config_versions

-- name: acknowledge_failure
-- Let a failure be listed no longer. Doing it again keeps who was first, and when.
-- $1 subscription id   $2 actor
update migration_failures
   set acknowledged_at = coalesce(acknowledged_at, clock_timestamp()),
       acknowledged_by = case when acknowledged_at is null then $2 else acknowledged_by end
 where subscription_id = $1
returning subscription_id;

-- name: action_type
-- A type of action as it is stored. $1 id
select owner, document from action_types where id = $1;

-- name: active_runs
-- Active runs with their rank. Under the gate locks. $1 automation ids
select id, automation_id, context_key, rank_time, rank_sequence
  from runs
 where automation_id = any ($1::text[]) and status in ('pending', 'running', 'waiting');

-- name: active_runs_of
-- The active runs of an automation. $1 automation id
select id
  from runs
 where automation_id = $1 and status in ('pending', 'running', 'waiting')
 order by id;

-- name: add_events
-- Events that belong to no walk: refusals, changes of automations.
-- $1 topics   $2 seqs   $3 subjects   $4 message ids   $5 bodies
insert into outbox (topic, seq, subject, message_id, body)
select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bytea[]);

-- name: add_judgements
-- Keep why events started nothing. $1..$8 arrays in the order of the columns
insert into judgements (
    delivery, event_id, message_id, automation_id, trigger_id, gate, detail, judged_at
)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::timestamptz[]);

-- name: adopt_runs
-- Take the runs of workers that are gone: their heartbeat is stale, or their row is no more.
-- The first parts step from owner to owner along the index, so that the cost is that of the owners
-- and not of all runs that are kept, whatever the planner knows of them.
-- $1 how many   $2 the worker   $3 seconds after which a heartbeat is stale
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
       and o.owner <> $2
       and not exists (
           select from workers w
            where w.id = o.owner
              and w.heartbeat_at >= clock_timestamp() - make_interval(secs => $3)
       )
),
candidates as materialized (
    select r.id
      from dead d
     cross join lateral (
           select id from runs where owner = d.owner order by owner limit $1
           ) as r
     limit $1
),
orphans as (
    select id
      from runs
     where id in (select id from candidates) and owner in (select owner from dead)
     order by id
       for update skip locked
),
taken as (
    update runs r
       set owner = $2, epoch = r.epoch + 1
      from orphans
     where r.id = orphans.id
    returning r.*
),
fenced as (
    update run_frames f
       set epoch = taken.epoch
      from taken
     where f.run_id = taken.id
    returning f.run_id, f.event_seq, f.document
)
select taken.*, fenced.run_id is not null as has_frames, fenced.event_seq, fenced.document
  from taken
  left join fenced on fenced.run_id = taken.id
 order by taken.rank_time, taken.rank_sequence, taken.position;

-- name: age_workers
-- Damage, for test cases: workers look as if they had not been heard of for so long.
-- $1 seconds   $2 those that live, and would have been heard of
update workers
   set heartbeat_at = heartbeat_at - make_interval(secs => $1)
 where id <> all ($2::uuid[]);

-- name: arm_holds
-- Arm holds; their locks are held.
-- $1 ids   $2 automation ids   $3 trigger ids   $4 topics   $5 context keys   $6 events
-- $7 armed   $8 due
insert into timers (
    id, kind, automation_id, trigger_id, topic, context_key, event, armed_at, due_at
)
select id, 'hold', automation_id, trigger_id, topic, context_key, event, armed_at, due_at
  from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::bytea[],
              $7::timestamptz[], $8::timestamptz[])
    as n (id, automation_id, trigger_id, topic, context_key, event, armed_at, due_at);

-- name: armed_holds
-- Which holds are armed. $1 automation ids   $2 trigger ids   $3 topics
select t.id, t.automation_id, t.trigger_id, t.context_key
  from unnest($1::text[], $2::text[], $3::bytea[]) as n (automation_id, trigger_id, topic)
  join timers t using (automation_id, trigger_id, topic)
 where t.kind = 'hold';

-- name: armed_waits
-- What sleeps and has a key on the bus, by id: a page after $1.   $2 how many
-- $3 seconds: who sleeps for less has none
select *
  from (
       (select w.id, w.run_id, w.kind, w.action_path, w.waiting_for, w.event_id, w.context_key,
               w.due_at, w.armed_at, r.automation_id, r.automation_name
          from waits w
          join runs r on r.id = w.run_id
         where w.id > $1
           and w.state = 'armed'
           and (w.due_at is null or w.due_at > w.armed_at + make_interval(secs => $3))
         order by w.id
         limit $2)
       union all
       (select t.id, null, t.kind, '', 'trigger ' || t.trigger_id || ' holds', null, t.context_key,
               t.due_at, t.armed_at, t.automation_id, null
          from timers t
         where t.id > $1
           and t.kind = 'hold'
           and t.due_at > t.armed_at + make_interval(secs => $3)
         order by t.id
         limit $2)
       ) as sleeping
 order by id
 limit $2;

-- name: awaited
-- The armed waits that events may satisfy, by the place of the event; filters are judged by us.
-- $1 topics   $2 event ids   $3 context keys
select n.place, w.id, w.run_id, w.filter, w.run_scope, w.action_path, w.warning, r.automation_id
  from unnest($1::bytea[], $2::text[], $3::text[])
       with ordinality as n (topic, event_id, context_key, place)
  join waits w on w.topic = n.topic and w.state = 'armed'
  join runs r on r.id = w.run_id
 where w.event_id = n.event_id and w.context_key is not distinct from n.context_key
 order by n.place, w.id;

-- name: begin_import
-- Whether a subscription has its automation already. Its failure is over either way: who then
-- cannot insert one rolls this back. A statement of its own after `lock_import`: only then does it
-- see what the holder before has committed.
-- $1 the mark of its automation   $2 subscription id
with over as (delete from migration_failures where subscription_id = $2)
select exists (select from automations where managed_by = $1);

-- name: cancel_runs
-- End active runs from outside: final status, fenced, without owner, waits gone, live steps failed.
-- A run that has ended is left as it is, and gives no row.
-- Locks: runs by id, then their frames, then their waits.
-- $1 run ids   $2 status   $3 reason   $4 error   $5 now
with active as (
    select id, owner
      from runs
     where id = any ($1::uuid[]) and status in ('pending', 'running', 'waiting')
     order by id
       for update
),
cancelled as (
    update runs r
       set status = $2, reason = $3, error_message = $4, owner = null, epoch = r.epoch + 1,
           finished_at = $5
      from active
     where r.id = active.id
    returning r.*, active.owner as last_owner
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
    select run_id, document from dropped where $2 = 'failed' and document is not null
),
waits_gone as (
    delete from waits w using cancelled c where w.run_id = c.id returning w.id, w.run_id, w.kind
),
steps as (
    update run_steps s
       set status = 'failed', error_message = 'cancelled', finished_at = $5
      from cancelled c
     where s.run_id = c.id and s.status in ('running', 'waiting')
)
select c.*, true as has_frames, coalesce(d.event_seq, 0) as event_seq, null::bytea as document,
       array(select w.id from waits_gone w where w.run_id = c.id and w.kind in ('event', 'remote', 'child'))
           as awaited,
       array(select w.id from waits_gone w
              where w.run_id = c.id and w.kind not in ('event', 'remote', 'child')) as delays
  from cancelled c
  left join dropped d on d.run_id = c.id
 order by c.position;

-- name: catalog_heads
-- All automations by creation, with the revision that they show.
-- One statement, so both are of one snapshot.
select r.revision, a.id, a.name, a.status, a.version, a.position
  from catalog_revision r
  left join automations a on true
 order by a.position;

-- name: checkpoint
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
-- artifacts that are closed: $48 run ids  $49 ids
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
closed as (
    update artifacts a
       set closed_at = h.at
      from unnest($48::uuid[], $49::uuid[]) as c (run_id, id)
      join held h on h.run_id = c.run_id
     where a.id = c.id and a.closed_at is null
),
gone as (
    delete from waits v
     using held h
     where v.run_id = h.run_id and h.status not in ('running', 'pending', 'waiting')
)
select run_id, wakes from held;

-- name: child_run
-- The run that a step has started. $1 run id   $2 step path
select id, status from runs where parent_run_id = $1 and parent_path = $2;

-- name: children_of
-- Active runs that shall be cancelled with their parents. $1 run ids
select id
  from runs
 where parent_run_id = any ($1::uuid[]) and cancel_with_parent
   and status in ('pending', 'running', 'waiting');

-- name: claim_ready
-- Take runs that wait for a place: in turn from each automation that has some, and of each in the
-- order of the stream, so that a flood for one does not hold up the others.
-- The first part steps from automation to automation along the index (PostgreSQL wiki, Loose
-- indexscan).
-- There is always a row: `seen` says how many were ready; those that others hold are passed over.
-- $1 how many   $2 the worker   $3 now
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
            limit $1
           ) as r
     where a.automation_id is not null
     order by r.turn, r.rank_time, r.rank_sequence, r.position
     limit $1
),
ready as (
    select id
      from runs
     where id in (select id from first_ones) and status = 'pending' and not queued
       for update skip locked
),
taken as (
    update runs r
       set status = 'running', owner = $2, epoch = r.epoch + 1,
           started_at = coalesce(r.started_at, $3)
      from ready
     where r.id = ready.id
    returning r.*
),
fenced as (
    update run_frames f
       set epoch = taken.epoch
      from taken
     where f.run_id = taken.id
    returning f.run_id, f.event_seq, f.document
)
select looked.seen, claimed.*
  from (select count(*) as seen from first_ones) as looked
  left join (
       select taken.*, fenced.run_id is not null as has_frames, fenced.event_seq, fenced.document
         from taken
         left join fenced on fenced.run_id = taken.id
       ) as claimed on true
 order by claimed.rank_time, claimed.rank_sequence, claimed.position;

-- name: claim_sources
-- Take set-ups that no living worker runs, as many as there is a fair share of.
-- $1 automation ids   $2 trigger ids   $3 worker   $4 seconds until a worker is stale   $5 how many
with free as (
    select n.automation_id, n.trigger_id
      from unnest($1::text[], $2::text[]) with ordinality as n (automation_id, trigger_id, place)
     where not exists (
           select from sources s
             join workers w on w.id = s.owner
              and w.heartbeat_at > clock_timestamp() - make_interval(secs => $4)
            where s.automation_id = n.automation_id and s.trigger_id = n.trigger_id
           )
     order by n.automation_id, n.trigger_id
     limit $5
)
insert into sources (automation_id, trigger_id, owner)
select automation_id, trigger_id, $3 from free
    on conflict (automation_id, trigger_id) do update
   set owner = excluded.owner, claimed_at = clock_timestamp()
 where not exists (
       select from workers w
        where w.id = sources.owner
          and w.heartbeat_at > clock_timestamp() - make_interval(secs => $4)
       )
returning automation_id, trigger_id;

-- name: clear_suspect
-- The worker has survived an event. $1 delivery
delete from suspects where delivery = $1;

-- name: close_artifact
-- Close an artifact: it is not consumed any more. Closing it again keeps the first time.
-- $1 id   $2 now
update artifacts set closed_at = coalesce(closed_at, $2) where id = $1 returning id;

-- name: consequences
-- What became of one event: judgements, and the runs that it asked for.
-- $1 delivery   $2 event id   $3 its sequence   $4 automation id, or null for all
(select automation_id, nullif(trigger_id, '') as trigger_id,
        case when gate = 'wait' then 'woke' else 'refused' end as outcome,
        gate, detail, null::uuid as run_id
   from judgements
  where delivery = $1 and ($4::text is null or automation_id = $4)
  order by position)
union all
(select automation_id, trigger_id,
        case when status in ('skipped', 'cancelled') and started_at is null then status
             else 'started' end as outcome,
        case when status = 'skipped' then 'mode' end as gate, reason as detail, id as run_id
   from runs
  where trigger_event_id = $2 and rank_sequence = $3 and ($4::text is null or automation_id = $4)
  order by position);

-- name: consumable_artifacts
-- The newest open artifact of each type: same automation, same context key (null only null).
-- $1 automation id   $2 context key   $3 types
select t.artifact_type, newest.id, newest.data
  from unnest($3::text[]) as t (artifact_type)
 cross join lateral (
       select a.id, a.data
         from artifacts a
        where a.automation_id = $1
          and a.artifact_type = t.artifact_type
          and a.context_key is not distinct from $2
          and a.closed_at is null
        order by a.position desc
        limit 1
       ) as newest;

-- name: copy_steps
-- Give a run the steps of the one that it goes on from: what is over stays as it is, lists of
-- for_each loops too; the containers that it goes on in are running again.
-- $1 the new run   $2 the old run   $3 seqs of those containers
-- $4 seqs of steps that are begun anew: they get rows of their own
insert into run_steps (
    run_id, seq, action_path, action_id, action_kind, provider_action_id, status, attempts,
    error_message, result, items, started_at, finished_at
)
select $1, seq, action_path, action_id, action_kind, provider_action_id,
       case when is_live then 'running' else status end, attempts,
       case when not is_live then error_message end, result, items, started_at,
       case when not is_live then finished_at end
  from (select s.*, s.seq = any ($3::integer[]) as is_live
          from run_steps s
         where s.run_id = $2 and s.seq <> all ($4::integer[])) as kept;

-- name: count_active
-- How many runs are active, by automation and context key.
-- Under the gate locks: no other transaction adds to these counts.
-- $1 automation ids
select automation_id, context_key, count(*) as active
  from runs
 where automation_id = any ($1::text[]) and status in ('pending', 'running', 'waiting')
 group by automation_id, context_key;

-- name: count_automations
-- $1 status or null   $2 group or null
select count(*) as total
  from automations a
 where ($1::text is null or a.status = $1)
   and ($2::text is null or a.group_name = $2);

-- name: count_failures
-- How many failures of imports nobody has acknowledged.
select count(*) from migration_failures where acknowledged_at is null;

-- name: count_ready
-- How many runs wait for a place; counted up to $1.
select count(*) as ready
  from (select from runs where status = 'pending' and not queued
         order by automation_id limit $1) as first_ones;

-- name: count_runs
-- $1 automation id   $2 status   $3 any context key   $4 context key   $5 since
select count(*) as total
  from runs r
 where ($1::text is null or r.automation_id = $1)
   and ($2::text is null or r.status = $2)
   and ($3::boolean or r.context_key is not distinct from $4::text)
   and ($5::timestamptz is null or r.created_at >= $5);

-- name: create_runs
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

-- name: definitions
-- Definitions of versions. $1 automation ids   $2 versions
select v.automation_id, v.version, v.definition, v.config_versions
  from unnest($1::text[], $2::integer[]) as k (automation_id, version)
  join automation_versions v using (automation_id, version);

-- name: delete_automation
-- No run can be launched from here on: who launches holds the row `for key share`. $1 id
delete from automations where id = $1;

-- name: drop_holds_of
-- Disarm the holds of an automation, but for the triggers that still hold.
-- $1 automation id   $2 trigger ids that stay
delete from timers
 where automation_id = $1 and kind = 'hold' and trigger_id <> all ($2::text[])
returning id;

-- name: drop_timers
-- Disarm timers. $1 ids
delete from timers where id = any ($1::uuid[]);

-- name: drop_timers_of
-- Take away all timers of an automation, and what its windows have counted. $1 automation id
with counted as (delete from occurrences where automation_id = $1)
delete from timers where automation_id = $1 returning id;

-- name: due_deadlines
-- Runs whose time is over, by the waits that say so. $1 wait ids   $2 now
select w.id, w.run_id, w.waiting_for
  from waits w
 where w.id = any ($1::uuid[]) and w.state = 'armed' and w.kind = 'deadline' and w.due_at <= $2;

-- name: end_schedule
-- Take away a schedule that has no further tick. $1 id   $2 the tick that was read
delete from timers where id = $1 and due_at = $2 returning id;

-- name: ended_children
-- The armed waits of steps whose run has ended, of some runs. $1 ids of runs that were started
select w.id as wait_id, c.id, c.status
  from runs c
  join waits w on w.run_id = c.parent_run_id and w.action_path = c.parent_path
 where c.id = any ($1::uuid[]) and c.finished_at is not null
   and w.kind = 'child' and w.state = 'armed';

-- name: events_of_topics
-- What is not yet published of these topics: who takes a run over publishes it first.
-- $1 topics
select topic, seq, subject, message_id, body, created_at
  from outbox
 where topic = any ($1::text[])
 order by topic, seq;

-- name: fire_waits
-- Fire waits, each at most once, and let go on the runs that sleep: they are ready then. The owner
-- of one that is awake is given, to be told. A deadline fires nothing: see due_deadlines.
-- Locks: runs by id, then their waits.
-- $1 wait ids   $2 payloads   $3 `event`, or `due` for those whose time has come   $4 now
with named as (
    select n.id, n.payload, w.run_id
      from unnest($1::uuid[], $2::bytea[]) as n (id, payload)
      join waits w on w.id = n.id and w.state = 'armed' and w.kind <> 'deadline'
),
held as (
    select id
      from runs
     where id in (select run_id from named) and status in ('pending', 'running', 'waiting')
     order by id
       for update
),
fired as (
    update waits w
       set state = 'fired', cause = $3, payload = n.payload, fired_at = $4
      from named n
      join held h on h.id = n.run_id
     where w.id = n.id and w.state = 'armed' and ($3 = 'event' or w.due_at <= $4)
    returning w.id, w.run_id, w.kind, w.armed_at, w.due_at
),
woken as (
    update runs r
       set wakes = r.wakes + 1,
           status = case when r.status = 'waiting' then 'pending' else r.status end
      from (select distinct run_id from fired) as f
     where r.id = f.run_id
    returning r.id, r.owner
)
select f.id, f.run_id, f.kind, f.armed_at, f.due_at, w.owner
  from fired f
  join woken w on w.id = f.run_id;

-- name: fired_of_runs
-- What has fired and is not yet taken up, with the count of wakes of the same moment.
-- $1 run ids
select r.id as run_id, r.wakes, w.id, w.cause, w.payload, w.warning
  from runs r
  left join waits w on w.run_id = r.id and w.state = 'fired'
 where r.id = any ($1::uuid[]);

-- name: forget_all
-- Everything but the schema: one case of `lockstep test` must not see the one before.
with a as (delete from automations), r as (delete from runs), f as (delete from run_frames),
     s as (delete from run_steps), t as (delete from artifacts), c as (delete from receipts),
     o as (delete from outbox), w as (delete from waits),
     n as (delete from occurrences), i as (delete from timers), j as (delete from judgements),
     u as (delete from suspects), k as (delete from failed_frames),
     m as (delete from migration_failures)
update catalog_revision set revision = revision + 1;

-- name: forget_events
-- The bus has acknowledged them.
-- $1 topics   $2 seqs
delete from outbox o
 using unnest($1::text[], $2::bigint[]) as done (topic, seq)
 where o.topic = done.topic and o.seq = done.seq;

-- name: forget_history_of
-- The history of one automation that was deleted, in small batches.
-- $1 automation id   $2 how many
with gone as (
    delete from runs
     where id in (select id from runs where automation_id = $1 and finished_at is not null limit $2)
    returning id
),
steps as (
    delete from run_steps s using gone where s.run_id = gone.id
),
made as (
    delete from artifacts a using gone where a.run_id = gone.id
),
kept as (
    delete from failed_frames f using gone where f.run_id = gone.id
)
select count(*) as runs from gone;

-- name: forget_judgements
-- Keep the newest only. $1 how many
delete from judgements
 where position <= (select max(position) from judgements) - $1::bigint;

-- name: forget_occurrences
-- Counters whose last occurrence is out of its window. $1 that time   $2 how many
delete from occurrences
 where (automation_id, trigger_id, partition) in (
       select automation_id, trigger_id, partition
         from occurrences
        where expires_at < $1
        limit $2
       );

-- name: forget_receipts
-- In small batches: receipts older than their time, of events that the stream no longer holds.
-- $1 hours   $2 how many
delete from receipts
 where delivery in (
       select delivery from receipts
        where received_at < clock_timestamp() - make_interval(hours => $1)
        order by received_at limit $2
       );

-- name: forget_workers
-- Workers that are long gone and own nothing.
delete from workers w
 where w.heartbeat_at < clock_timestamp() - interval '1 hour'
   and not exists (select from runs r where r.owner = w.id);

-- name: gates_of_runs
-- The queues that runs stand in or hold up. $1 run ids
select distinct gate from runs where id = any ($1::uuid[]) and gate is not null order by gate;

-- name: get_automation
-- $1 id
select a.*, v.definition
  from automations a
  join automation_versions v on v.automation_id = a.id and v.version = a.version
 where a.id = $1;

-- name: get_run
-- $1 id
select r.*,
       (select string_agg(w.waiting_for, '; ' order by w.id)
          from waits w
         where w.run_id = r.id and w.state = 'armed' and w.kind <> 'deadline') as waiting_for
  from runs r
 where r.id = $1;

-- name: heartbeat
-- Renew the worker and read the clock that all engines share.
-- $1 id   $2 name   $3 version
insert into workers (id, name, engine_version) values ($1, $2, $3)
    on conflict (id) do update set heartbeat_at = clock_timestamp()
returning heartbeat_at;

-- name: held_sources
-- The set-ups that a worker runs. $1 worker
select automation_id, trigger_id from sources where owner = $1;

-- name: hold_automation
-- One automation with its definition, held until the end of the transaction. $1 id
select a.*, v.definition
  from automations a
  join automation_versions v on v.automation_id = a.id and v.version = a.version
 where a.id = $1
   for update of a;

-- name: hold_automations
-- Keep automations from being deleted until this transaction ends; deleted ones give no row.
-- $1 ids
select id, status from automations where id = any ($1::text[]) order by id for key share;

-- name: hold_source
-- Whether a worker runs a set-up; nobody takes it until the end of the transaction.
-- $1 automation id   $2 trigger id   $3 worker
select true from sources
 where automation_id = $1 and trigger_id = $2 and owner = $3
   for share;

-- name: imported
-- Those of many subscriptions that have their automation; their failures are over.
-- $1 marks of automations   $2 the ids of the subscriptions, in the same order
with found as (
    select n.id
      from unnest($1::text[], $2::text[]) as n (mark, id)
     where exists (select from automations a where a.managed_by = n.mark)
), over as (
    delete from migration_failures
     where subscription_id in (
        select f.subscription_id from migration_failures f join found on found.id = f.subscription_id
         order by 1 for update of f
     )
)
select id from found;

-- name: insert_automation
-- $1 id  $2 name  $3 description  $4 status  $5 group  $6 managed by  $7 actor  $8 now  $9 definition
-- $10 versions of configs
with head as (
    insert into automations (
        id, name, description, status, group_name, version, managed_by, updated_by, created_at,
        updated_at
    )
    values ($1, $2, $3, $4, $5, 1, $6, $7, $8, $8)
        on conflict (id) do nothing
    returning id
)
insert into automation_versions (automation_id, version, definition, config_versions, created_at)
select id, 1, $9::text, $10::text, $8::timestamptz from head
returning version;

-- name: insert_automations
-- Insert many automations at once, enabled, in their first version.
-- $1 ids   $2 names   $3 definitions
with added as (
    insert into automations (id, name, status, version, created_at, updated_at)
    select n.id, n.name, 'enabled', 1, clock_timestamp(), clock_timestamp()
      from unnest($1::text[], $2::text[]) with ordinality as n (id, name, place)
     order by n.place
    returning id
)
insert into automation_versions (automation_id, version, definition, created_at)
select n.id, 1, n.definition, clock_timestamp()
  from unnest($1::text[], $3::text[]) as n (id, definition)
  join added on added.id = n.id;

-- name: insert_version
-- $1 automation id   $2 version   $3 definition   $4 now   $5 versions of configs
insert into automation_versions (automation_id, version, definition, created_at, config_versions)
values ($1, $2, $3, $4, $5);

-- name: keep_failure
-- Keep why a subscription could not be imported, to be acknowledged anew; nothing where it has its
-- automation. After `lock_import`.
-- $1 the mark of its automation   $2 subscription id   $3 name   $4 provider   $5 event
-- $6 reason   $7 detail   $8 config   $9 now
insert into migration_failures as f (
    subscription_id, name, provider, event, reason, detail, config, failed_at
)
select $2, $3, $4, $5, $6, $7, $8, $9
 where not exists (select from automations where managed_by = $1)
    on conflict (subscription_id) do update
   set name = excluded.name, provider = excluded.provider, event = excluded.event,
       reason = excluded.reason, detail = excluded.detail, config = excluded.config,
       failed_at = excluded.failed_at, acknowledged_at = null, acknowledged_by = null
returning f.subscription_id;

-- name: keep_moments
-- Keep the last occurrences of a counter; its lock is held.
-- $1 automation id   $2 trigger id   $3 partition   $4 moments   $5 when nobody asks for it any more
insert into occurrences (automation_id, trigger_id, partition, moments, expires_at)
values ($1, $2, $3, $4, $5)
    on conflict (automation_id, trigger_id, partition) do update
   set moments = excluded.moments, expires_at = excluded.expires_at;

-- name: known_steps
-- Which steps of runs have been visited. $1 run ids   $2 step paths
select n.run_id, n.path as action_path
  from unnest($1::uuid[], $2::text[]) as n (run_id, path)
 where exists (select from run_steps s where s.run_id = n.run_id and s.action_path = n.path);

-- name: list_artifacts
-- By creation. $1 run id
select id, run_id, action_id, artifact_type, data, context_key, closed_at, created_at
  from artifacts
 where run_id = $1
 order by position;

-- name: list_automations
-- By creation.
-- $1 status or null   $2 group or null   $3 limit   $4 offset   $5 behind this position or null
select a.*, v.definition
  from automations a
  join automation_versions v on v.automation_id = a.id and v.version = a.version
 where ($1::text is null or a.status = $1)
   and ($2::text is null or a.group_name = $2)
   and ($5::bigint is null or a.position > $5)
 order by a.position
 limit $3 offset $4;

-- name: list_failures
-- Failures that nobody has acknowledged, by creation: at most so many, and so many bytes, but one.
-- $1 limit   $2 offset   $3 bytes
select *
  from (
    select f.*,
           row_number() over (order by f.position) as place,
           sum(
               length(f.config)
               + octet_length(f.detail || coalesce(f.name, '') || coalesce(f.provider, ''))
           ) over (order by f.position) as bytes
      from (
        select * from migration_failures
         where acknowledged_at is null
         order by position
         limit $1 offset $2
      ) f
  ) listed
 where place = 1 or bytes <= $3::bigint
 order by position;

-- name: list_runs
-- Newest first.
-- $1 automation id   $2 status   $3 any context key   $4 context key   $5 since
-- $6 before position, all null where they do not matter   $7 limit   $8 offset
select r.*,
       (select string_agg(w.waiting_for, '; ' order by w.id)
          from waits w
         where w.run_id = r.id and w.state = 'armed' and w.kind <> 'deadline') as waiting_for
  from runs r
 where ($1::text is null or r.automation_id = $1)
   and ($2::text is null or r.status = $2)
   and ($3::boolean or r.context_key is not distinct from $4::text)
   and ($5::timestamptz is null or r.created_at >= $5)
   and ($6::bigint is null or r.position < $6)
 order by r.position desc
 limit $7 offset $8;

-- name: list_steps
-- In the order in which they began. $1 run id
select seq, action_path, action_id, action_kind, provider_action_id, status, attempts,
       error_message, result, started_at, finished_at
  from run_steps
 where run_id = $1
 order by seq;

-- name: list_versions
-- All versions, oldest first, with the runs that are pinned to them. $1 automation id
select v.version, v.definition, v.created_at,
       (select count(*)
          from runs r
         where r.automation_id = v.automation_id
           and r.version = v.version
           and r.status in ('pending', 'running', 'waiting')) as active_runs
  from automation_versions v
 where v.automation_id = $1
 order by v.version;

-- name: list_waits
-- What a run waits for, in the order in which it began to. $1 run id
select id, action_path, kind, waiting_for, event_id, context_key, filter, warning, due_at, state,
       armed_at, fired_at
  from waits
 where run_id = $1
 order by id;

-- name: living_workers
-- How many workers live. $1 seconds until one is stale
select count(*) from workers
 where heartbeat_at > clock_timestamp() - make_interval(secs => $1);

-- name: lock_gates
-- One lock per (automation, scope key), held to the end of the transaction.
-- $1 keys, sorted: all who take several take them in this order.
select pg_advisory_xact_lock(hashtextextended(key, 7))
  from unnest($1::text[]) with ordinality as gates (key, place)
 order by place;

-- name: lock_import
-- One import of a subscription at a time, over all replicas, until the end of the transaction.
-- $1 the mark of its automation
select pg_advisory_xact_lock(hashtextextended($1, 5));

-- name: lock_runs
-- Hold runs, in the one order, before several statements change some of them.
-- $1 run ids   $2 wait ids whose runs are held too
select id
  from runs
 where id in (
       select unnest($1::uuid[])
        union
       select run_id from waits where id = any ($2::uuid[])
       )
 order by id
   for update;

-- name: lose_frames
-- Damage, for test cases: the saved state of all runs is gone.
delete from run_frames;

-- name: mark_running
-- Damage, for test cases: sleeping runs look as if a worker that nobody knows executed them.
update runs set status = 'running', owner = gen_random_uuid() where status = 'waiting';

-- name: missed_children
-- The armed waits of steps whose run has ended without a word, or is gone while the step sleeps.
-- $1 how many
select w.id as wait_id, c.id, coalesce(c.status, 'cancelled') as status
  from waits w
  join runs r on r.id = w.run_id
  left join runs c on c.parent_run_id = w.run_id and c.parent_path = w.action_path
 where w.kind = 'child' and w.state = 'armed'
   and (c.finished_at is not null or (c.id is null and r.status = 'waiting'))
 limit $1;

-- name: moments
-- The last occurrences of counters. $1 automation ids   $2 trigger ids   $3 partitions
select o.automation_id, o.trigger_id, o.partition, o.moments
  from unnest($1::text[], $2::text[], $3::bytea[]) as n (automation_id, trigger_id, partition)
  join occurrences o using (automation_id, trigger_id, partition);

-- name: move_schedule
-- Set the next tick of a schedule, if nobody has done so since it was read.
-- $1 id   $2 the tick that was read   $3 the next   $4 last value
update timers
   set due_at = $3, last_value = $4
 where id = $1 and due_at = $2
returning id;

-- name: near_timers
-- What is due soon for triggers: the share of one worker, as of near_waits.
-- $1 the worker   $2 from   $3 until   $4 how many   $5 seconds after which a heartbeat is stale
with alive as (
    select id, row_number() over (order by id) - 1 as rank, count(*) over () as many
      from workers
     where heartbeat_at >= clock_timestamp() - make_interval(secs => $5)
)
select t.id, t.kind, t.due_at
  from timers t
 where t.due_at > $2
   and t.due_at <= $3
   and coalesce((select mod(abs(hashtext(t.id::text)::bigint), a.many) = a.rank
                   from alive a
                  where a.id = $1), true)
 order by t.due_at
 limit $4;

-- name: near_waits
-- What is due soon: the share of one worker. Each wait has one worker, by rank among the living;
-- if that one dies the alarm of the bus or the sweep wakes instead.
-- $1 the worker   $2 from   $3 until   $4 how many   $5 seconds after which a heartbeat is stale
with alive as (
    select id, row_number() over (order by id) - 1 as rank, count(*) over () as many
      from workers
     where heartbeat_at >= clock_timestamp() - make_interval(secs => $5)
)
select w.id, w.run_id, w.kind, w.due_at
  from waits w
 where w.state = 'armed'
   and w.due_at > $2
   and w.due_at <= $3
   and coalesce((select mod(abs(hashtext(w.id::text)::bigint), a.many) = a.rank
                   from alive a
                  where a.id = $1), true)
 order by w.due_at
 limit $4;

-- name: next_timers
-- When the next timer after a time is due. $1 that time
select min(due_at) as due_at from timers where due_at > $1;

-- name: next_waits
-- When the next wait after a time is due. $1 that time
select min(due_at) as due_at from waits where state = 'armed' and due_at > $1;

-- name: old_events
-- What should have been published by now, oldest first: its worker died, or the bus was away.
-- $1 seconds   $2 how many
select topic, seq, subject, message_id, body, created_at
  from outbox
 where created_at < clock_timestamp() - make_interval(secs => $1)
 order by created_at, topic, seq
 limit $2;

-- name: open_results
-- The armed waits for results of remote actions, by the place of their key.
-- $1 run ids   $2 step paths
select n.place, w.id, w.run_id, w.action_path, r.automation_id
  from unnest($1::uuid[], $2::text[]) with ordinality as n (run_id, path, place)
  join waits w on w.run_id = n.run_id and w.action_path = n.path
  join runs r on r.id = w.run_id
 where w.kind = 'remote' and w.state = 'armed'
 order by n.place, w.id;

-- name: orphans
-- Active runs that shall be cancelled with their parent, which was. $1 how many
select c.id
  from runs c
  join runs p on p.id = c.parent_run_id
 where c.cancel_with_parent and c.status in ('pending', 'running', 'waiting')
   and p.status = 'cancelled'
 limit $1;

-- name: overdue_timers
-- What should have started by now. $1 until   $2 how many
select id, kind, due_at
  from timers
 where due_at <= $1
 order by due_at
 limit $2;

-- name: overdue_waits
-- What should have been woken by now. $1 until   $2 how many
select id, run_id, kind, due_at
  from waits
 where state = 'armed' and due_at <= $1
 order by due_at
 limit $2;

-- name: past_run
-- A run that is to be retried, with what it stood at if it failed, and how its automation is.
-- Not locked: what has ended changes no more, and goes only with its automation, which is held
-- before a run is launched. $1 id
select r.*, a.status as automation_status, false as has_frames, 0 as event_seq, f.document
  from runs r
  left join automations a on a.id = r.automation_id
  left join failed_frames f on f.run_id = r.id
 where r.id = $1;

-- name: ping
-- Does the store answer, and is it ours?
select from receipts limit 1;

-- name: promote
-- Let the first of each queue go where nothing that it waits for is active. Under the gate locks.
-- $1 gates
update runs
   set queued = false
 where id in (
       select head.id
         from unnest($1::text[]) as g (gate)
        cross join lateral (
              select q.id, q.automation_id, q.context_key
                from runs q
               where q.gate = g.gate and q.queued
               order by q.rank_time, q.rank_sequence, q.position
               limit 1
              ) as head
        where not exists (
              select from runs r
               where r.automation_id = head.automation_id
                 and (g.gate = head.automation_id
                      or r.context_key is not distinct from head.context_key)
                 and not r.queued
                 and r.status in ('pending', 'running', 'waiting')
              )
       )
returning id;

-- name: queued_gates
-- The queues that are not empty. $1 how many
select distinct gate from runs where queued order by gate limit $1;

-- name: raise_revision
-- A change of an automation is about to commit: later batches of events reload.
-- Taken last in its transaction, because every change waits for this row.
update catalog_revision set revision = revision + 1 returning revision;

-- name: read_revision
-- The revision that every event from now on must be judged by.
select revision from catalog_revision;

-- name: recent_events
-- Recent events by event id or message id, newest first; among the last ones only.
-- $1 event id or message id   $2 how many
select delivery, event_id, message_id, received_at
  from (select * from receipts order by received_at desc limit 20000) as recent
 where (event_id = $1 or message_id = $1)
   and delivery not like 'source:%' -- what set-ups fire is no event of the bus
 order by received_at desc
 limit $2;

-- name: register_action_type
-- Store a type of action as its owner describes it, with a revision of its own, so that every replica
-- reads it before the next event. No row: it belongs to another owner.
-- Locks: the revision, then the type. $1 id  $2 owner  $3 document
with raised as (
    update catalog_revision set revision = revision + 1
     where not exists (select from action_types where id = $1 and owner <> $2)
    returning revision
)
insert into action_types (id, owner, document, revision)
select $1, $2, $3, revision from raised
    on conflict (id) do update
   set document = excluded.document, revision = excluded.revision
 where action_types.owner = excluded.owner
returning revision;

-- name: register_trigger_type
-- Store a type of trigger as its owner describes it, with a revision of its own, so that every replica
-- reads it before the next event. No row: it belongs to another owner.
-- Locks: the revision, then the type. $1 id  $2 owner  $3 document
with raised as (
    update catalog_revision set revision = revision + 1
     where not exists (select from trigger_types where id = $1 and owner <> $2)
    returning revision
)
insert into trigger_types (id, owner, document, revision)
select $1, $2, $3, revision from raised
    on conflict (id) do update
   set document = excluded.document, revision = excluded.revision
 where trigger_types.owner = excluded.owner
returning revision;

-- name: release_sources
-- Give set-ups back. $1 automation ids   $2 trigger ids   $3 worker
delete from sources s
 using unnest($1::text[], $2::text[]) as n (automation_id, trigger_id)
 where s.automation_id = n.automation_id and s.trigger_id = n.trigger_id and s.owner = $3;

-- name: retire_worker
-- A worker that ends in good order; whatever it still owns can be adopted at once.
-- $1 id
delete from workers where id = $1;

-- name: revive_frames
-- A run whose saved state is gone gets a row again, so that it can be failed: it never goes on.
-- Its events went up to about here: one for its start, one for each ended step.
-- $1 run id   $2 epoch
insert into run_frames (run_id, epoch, event_seq)
select $1, $2, 1 + count(*) from run_steps where run_id = $1 and finished_at is not null
    on conflict (run_id) do update set epoch = excluded.epoch
returning event_seq;

-- name: status_outbox
-- Run events that are not published yet.
select count(*) as events,
       extract(epoch from clock_timestamp() - min(created_at))::float8 as oldest_seconds
  from outbox;

-- name: status_runs
-- Active runs: executed, ready for a place, queued for their turn, waiting for something.
select count(*) filter (where status = 'running') as running,
       count(*) filter (where status = 'pending' and not queued) as ready,
       count(*) filter (where queued) as queued,
       count(*) filter (where status = 'waiting') as waiting,
       extract(epoch from clock_timestamp()
           - min(created_at) filter (where status = 'pending' and not queued)
       )::float8 as oldest_ready_seconds
  from runs
 where status in ('pending', 'running', 'waiting');

-- name: status_servers
-- What PostgreSQL is, and the newest migration that its schema has.
select current_setting('server_version') as version,
       (select max(name) from schema_migrations) as migration;

-- name: status_waits
-- Runs by what they wait for. One that waits for several things at once counts for each; one that
-- sleeps waits for nothing but a time. The deadline of a run is not what it waits for.
with waiting as (
    select run_id,
           bool_or(kind = 'delay') as for_delay,
           bool_or(kind = 'event') as for_event,
           bool_or(kind = 'retry') as for_retry,
           bool_or(kind = 'remote') as for_remote,
           bool_or(kind = 'child') as for_child,
           min(due_at) as due_at
      from waits
     where state = 'armed' and kind <> 'deadline'
     group by run_id
)
select count(*) filter (where for_delay) as delay,
       count(*) filter (where for_event) as event,
       count(*) filter (where for_retry) as retry,
       count(*) filter (where for_remote) as remote,
       count(*) filter (where for_child) as child,
       count(*) filter (where not (for_event or for_remote or for_child)) as sleeping,
       min(due_at) as next_due_at
  from waiting;

-- name: status_workers
-- Replicas, the oldest first, each with the runs that it owns.
select w.id, w.name, w.engine_version, w.started_at, w.heartbeat_at,
       extract(epoch from clock_timestamp() - w.heartbeat_at)::float8 as silent_seconds,
       (select count(*) from runs r where r.owner = w.id) as runs
  from workers w
 order by w.started_at, w.id;

-- name: step_items
-- The lists of for_each loops, by step. $1 run id   $2 seqs of the live ones
select seq, items from run_steps where run_id = $1 and seq = any ($2::integer[]);

-- name: suspect
-- Note that an event is about to be handled alone. $1 delivery
insert into suspects (delivery, attempts) values ($1, 1)
    on conflict (delivery) do update
   set attempts = suspects.attempts + 1, noted_at = clock_timestamp()
returning attempts;

-- name: sync_schedules
-- Let the schedules of an automation be what its definition says: what is as before keeps its time.
-- $1 automation id   $2 ids   $3 trigger ids   $4 schedules   $5 due   $6 now
with wanted as (
    select *
      from unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
        as w (id, trigger_id, schedule, due_at)
),
gone as (
    delete from timers t
     where t.automation_id = $1
       and t.kind = 'schedule'
       and not exists (
           select from wanted w where w.trigger_id = t.trigger_id and w.schedule = t.schedule
       )
    returning t.trigger_id
),
added as (
    insert into timers (id, kind, automation_id, trigger_id, topic, schedule, armed_at, due_at)
    select w.id, 'schedule', $1, w.trigger_id, convert_to(left(md5(w.schedule), 16), 'UTF8'),
           w.schedule, $6, w.due_at
      from wanted w
     where not exists (
           select from timers t
            where t.automation_id = $1 and t.kind = 'schedule' and t.trigger_id = w.trigger_id
              and t.schedule = w.schedule
           )
    returning id, due_at
)
select id, due_at from added;

-- name: take_holds
-- Take holds that are due, each once; their locks are held. $1 ids   $2 now
delete from timers
 where id = any ($1::uuid[]) and kind = 'hold' and due_at <= $2
returning id;

-- name: take_receipts
-- Note which deliveries are new. What conflicts with either key has been handled before.
-- Sorted by delivery: two replicas that hold the same messages lock in the same order.
-- $1 deliveries   $2 event ids   $3 message ids (null where there is none)
insert into receipts (delivery, event_id, message_id)
select delivery, event_id, message_id
  from unnest($1::text[], $2::text[], $3::text[]) as fresh (delivery, event_id, message_id)
 order by delivery
    on conflict do nothing
returning delivery;

-- name: timers_by_id
-- Timers, to be judged. $1 ids
select id, kind, automation_id, trigger_id, context_key, event, schedule, last_value, due_at
  from timers
 where id = any ($1::uuid[]);

-- name: trigger_type
-- A type of trigger as it is stored. $1 id
select owner, document from trigger_types where id = $1;

-- name: types_since
-- Types that were registered or changed after a revision, in that order. $1 revision
select 'trigger' as kind, id, owner, document, revision from trigger_types where revision > $1
 union all
select 'action' as kind, id, owner, document, revision from action_types where revision > $1
 order by revision, id;

-- name: unheard_runs
-- Runs of a worker that have a fired wait: their owner may have missed the word.
-- $1 the worker   $2 how many
select distinct r.id
  from waits w
  join runs r on r.id = w.run_id
 where w.state = 'fired' and r.owner = $1
 limit $2;

-- name: update_automation
-- $1 id  $2 name  $3 description  $4 status  $5 group  $6 managed by  $7 version  $8 actor  $9 now
update automations
   set name = $2, description = $3, status = $4, group_name = $5, managed_by = $6, version = $7,
       updated_by = $8, updated_at = $9
 where id = $1;

-- name: warn_waits
-- Keep why the filters of waits could not be judged. $1 wait ids   $2 reasons
update waits w
   set warning = n.reason
  from unnest($1::uuid[], $2::text[]) as n (id, reason)
 where w.id = n.id and w.state = 'armed';
