-- By creation.
-- $1 status or null   $2 group or null   $3 limit   $4 offset   $5 behind this position or null
select a.*, v.definition
  from automations a
  join automation_versions v on v.automation_id = a.id and v.version = a.version
 where ($1::text is null or a.status = $1)
   and ($2::text is null or a.group_name = $2)
   and ($5::bigint is null or a.position > $5)
 order by a.position
 limit $3 offset $4;
