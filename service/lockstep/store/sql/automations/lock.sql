-- Lock an automation that is about to change. It is read in the next statement, which sees what the
-- holder before has committed; a join in here would look for the version of before.
-- Locks: the automation, against other changes; runs are still launched.
-- :id text
select id from automations where id = :id for no key update;
