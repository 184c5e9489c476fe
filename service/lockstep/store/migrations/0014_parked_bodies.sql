-- 0014_parked_bodies: the body of an event that was parked for many, stored once.
-- Apply: before the code that writes it. Lock: access exclusive on `parked_events`, no rewrite,
-- milliseconds; no other table. Older code: a version that has no parked events has none to read.
-- Transaction: yes.

-- In `bodies`; the body of such a row is empty.
alter table parked_events add column body_id uuid;
create index parked_events_by_body on parked_events (body_id) where body_id is not null;
create index parked_events_of_wait on parked_events (wait_id) where wait_id is not null;
