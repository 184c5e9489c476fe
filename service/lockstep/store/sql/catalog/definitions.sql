-- Definitions of versions.
-- :versions (automation_id text, version integer)
select v.automation_id, v.version, v.definition, v.config_versions
  from unnest(:versions)
  join automation_versions v using (automation_id, version);
