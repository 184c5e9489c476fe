-- 0011_bodies: the body of an event that starts many runs, stored once.
-- Apply: at any time. Lock: `runs` for the time it takes to build a partial index, `workers` for a
-- moment. Older code: cannot read the payload of a run that shares its body, so none is shared
-- while a row of `workers` does not say that its worker reads them: older code never says so.
-- Do not go back to it before the runs that share one have ended. Transaction: yes.

-- Of more than 8 KiB; forgotten with the last run of it.
create table bodies (
    id uuid primary key,
    content bytea not null
);
-- The payload of such a run is empty.
alter table runs add column body_id uuid;
create index runs_by_body on runs (body_id) where body_id is not null;
alter table workers add column reads_bodies boolean not null default false;
