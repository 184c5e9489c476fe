-- Keep a run that has ended from being forgotten until the commit.
-- Locks: the run, shared.
-- :id uuid
select id from runs where id = :id for key share;
