-- One automation with its definition.
-- :id text
select a.*, v.definition
  from automations a
  join automation_versions v on v.automation_id = a.id and v.version = a.version
 where a.id = :id;
