-- 0010_parked: rows that a version cannot read, bind, publish or judge.
-- Apply: at any time. Lock: the tables for a moment each; `waits` while its rows are read once.
-- Older code: never takes up what is parked of runs and waits, because it looks like what sleeps;
-- of timers and the outbox it tries again what it could not handle before. Transaction: yes.

-- When, why, which version of the engine parked it, and which living workers have tried since.
-- A parked run has no owner and is `waiting`.
alter table runs add column parked_at timestamptz;
alter table runs add column parked_reason text;
alter table runs add column parked_version text;
alter table runs add column parked_tried uuid[];
create index runs_parked on runs (parked_at) where parked_at is not null and status = 'waiting';

alter table waits add column parked_at timestamptz;
alter table waits add column parked_reason text;
alter table waits add column parked_version text;
alter table waits add column parked_tried uuid[];
-- wider: it lets pass what it did, and a state more.
alter table waits drop constraint waits_state_check;
alter table waits add constraint waits_state_check check (state in ('armed', 'fired', 'parked'));
create index waits_parked on waits (parked_at) where state = 'parked';

alter table timers add column parked_at timestamptz;
alter table timers add column parked_reason text;
alter table timers add column parked_version text;
alter table timers add column parked_tried uuid[];
create index timers_parked on timers (parked_at) where parked_at is not null;

-- Later events of its topic stay behind it.
alter table outbox add column parked_at timestamptz;
alter table outbox add column parked_reason text;
alter table outbox add column parked_version text;
alter table outbox add column parked_tried uuid[];
create index outbox_parked on outbox (topic) where parked_at is not null;

-- The set-up of a trigger; it has no owner then, which an owner of zeros says.
alter table sources add column parked_at timestamptz;
alter table sources add column parked_reason text;
alter table sources add column parked_version text;
alter table sources add column parked_tried uuid[];
create index sources_parked on sources (automation_id) where parked_at is not null;

-- Here `parked_tried` are the workers that cannot compile its definition; others go on with it.
alter table automations add column parked_at timestamptz;
alter table automations add column parked_reason text;
alter table automations add column parked_version text;
alter table automations add column parked_tried uuid[];
create index automations_parked on automations (parked_at) where parked_at is not null;

-- An event that one automation, or one wait of a run of it, could not be asked about; all others
-- have had it. It is kept as it came, so that whoever can judges it by all that he knows.
create table parked_events (
    id uuid primary key,
    delivery text not null, -- as in receipts
    automation_id text not null references automations on delete cascade,
    wait_id uuid,
    event_id text not null,
    subject text not null,
    headers bytea not null, -- JSON; text as it came
    body bytea not null,
    parked_at timestamptz not null default clock_timestamp(),
    parked_reason text not null,
    parked_version text not null,
    parked_tried uuid[] not null,
    unique nulls not distinct (delivery, automation_id, wait_id)
);
create index parked_events_by_time on parked_events (parked_at);
create index parked_events_of_automation on parked_events (automation_id);

-- All of it in one list; `id` is what people name it by.
create view parked as
select 'run' as kind, 'run:' || id as id, automation_id, id as run_id, trigger_event_id as event_id,
       parked_at, parked_reason, parked_version
  from runs
 where parked_at is not null and status = 'waiting'
 union all
select 'wait', 'wait:' || w.id, r.automation_id, w.run_id, w.event_id,
       w.parked_at, w.parked_reason, w.parked_version
  from waits w
  left join runs r on r.id = w.run_id
 where w.state = 'parked'
 union all
select 'timer', 'timer:' || id, automation_id, null, null,
       parked_at, parked_reason, parked_version
  from timers
 where parked_at is not null
 union all
select 'outbox', 'outbox:' || o.topic || ':' || o.seq, r.automation_id, r.id, null,
       o.parked_at, o.parked_reason, o.parked_version
  from outbox o
  left join runs r on r.id = case when o.topic ~ '^[0-9a-f-]{36}$' then o.topic::uuid end
 where o.parked_at is not null
 union all
select 'setup', 'setup:' || s.automation_id || '/' || s.trigger_id, s.automation_id, null, null,
       s.parked_at, s.parked_reason, s.parked_version
  from sources s
  join automations a on a.id = s.automation_id
 where s.parked_at is not null
 union all
select 'event', 'event:' || e.id, e.automation_id, w.run_id, e.event_id,
       e.parked_at, e.parked_reason, e.parked_version
  from parked_events e
  left join waits w on w.id = e.wait_id
 union all
select 'automation', 'automation:' || id, id, null, null,
       parked_at, parked_reason, parked_version
  from automations
 where parked_at is not null;
