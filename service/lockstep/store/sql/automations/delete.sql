-- No run can be launched from here on: who launches locks the row `for key share`.
-- Locks: the automation, for good; it is held alone.
-- :id text
delete from automations where id = :id;
