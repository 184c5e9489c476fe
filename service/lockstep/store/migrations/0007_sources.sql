-- 0007_sources: which worker runs the set-up of a trigger.
-- Apply: at any time. Lock: none on what is there. Older code: never looks at it.
-- Transaction: yes.

-- A lease: it is held as long as its owner's row in `workers` is fresh.
create table sources (
    automation_id text not null,
    trigger_id text not null,
    owner uuid not null,
    claimed_at timestamptz not null default clock_timestamp(),
    primary key (automation_id, trigger_id)
);
create index sources_by_owner on sources (owner);
