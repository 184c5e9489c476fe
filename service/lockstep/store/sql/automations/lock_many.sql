-- Keep automations from being deleted until this transaction ends; deleted ones give no row.
-- Locks: automations by id, shared.
-- :ids text[]
select id, status from automations where id = any (:ids) order by id collate "C" for key share;
