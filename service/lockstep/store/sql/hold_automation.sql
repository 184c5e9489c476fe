-- One automation with its definition, held until the end of the transaction. $1 id
select a.*, v.definition
  from automations a
  join automation_versions v on v.automation_id = a.id and v.version = a.version
 where a.id = $1
   for update of a;
