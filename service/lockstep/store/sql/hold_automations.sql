-- Keep automations from being deleted until this transaction ends; deleted ones give no row.
-- $1 ids
select id, status from automations where id = any ($1::text[]) order by id for key share;
