-- When the next timer after a time is due.
-- :after timestamptz
select min(due_at) as due_at from timers where due_at > :after and parked_at is null;
