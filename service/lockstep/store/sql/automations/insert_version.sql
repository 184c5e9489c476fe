-- Insert a later version of an automation.
-- :automation_id text, :version integer, :definition text, :now timestamptz
-- :config_versions text
insert into automation_versions (automation_id, version, definition, created_at, config_versions)
values (:automation_id, :version, :definition, :now, :config_versions);
