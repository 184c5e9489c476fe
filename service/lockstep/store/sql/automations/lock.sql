-- One automation with its definition, locked until the end of the transaction.
-- Locks: the automation.
-- :id text
select a.*, v.definition
  from automations a
  join automation_versions v on v.automation_id = a.id and v.version = a.version
 where a.id = :id
   for update of a;
