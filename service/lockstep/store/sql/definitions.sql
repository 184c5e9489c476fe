-- Definitions of versions. $1 automation ids   $2 versions
select v.automation_id, v.version, v.definition, v.config_versions
  from unnest($1::text[], $2::integer[]) as k (automation_id, version)
  join automation_versions v using (automation_id, version);
