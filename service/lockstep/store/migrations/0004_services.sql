-- 0004_services: types that services register, and runs that were started by runs.
-- Apply: at any time. Lock: `runs` and `waits` for a moment each. Older code: never reads the new
-- tables and columns; it knows no wait of kind `child` and writes none. Transaction: yes.

-- Types of triggers and actions, as their services have described them; `revision` is that of
-- catalog_revision at the last change, so that replicas read what is new to them only.
create table trigger_types (
    id text primary key,
    owner text not null,
    document bytea not null,
    revision bigint not null
);
create index trigger_types_by_revision on trigger_types (revision);
create table action_types (
    id text primary key,
    owner text not null,
    document bytea not null,
    revision bigint not null
);
create index action_types_by_revision on action_types (revision);

-- A run that was started by a step of another run: once per step.
alter table runs add column parent_path text;
alter table runs add column cancel_with_parent boolean not null default false;
create unique index runs_of_parent on runs (parent_run_id, parent_path)
    where parent_path is not null;
-- What is cancelled with its parent.
create index runs_with_parent on runs (parent_run_id)
    where cancel_with_parent and status in ('pending', 'running', 'waiting');

-- A step waits for the run that it has started.
-- wider: both checks let pass what they did, and a kind more.
alter table waits drop constraint waits_kind_check;
alter table waits add constraint waits_kind_check
    check (kind in ('delay', 'event', 'retry', 'remote', 'child', 'deadline'));
alter table waits drop constraint waits_check2;
alter table waits add check (due_at is not null or kind in ('event', 'remote', 'child'));
create index waits_of_children on waits (run_id) where kind = 'child' and state = 'armed';
