-- 0008_config_versions: of which version the configs in a definition are.
-- Apply: at any time. Lock: `automation_versions` for a moment. Older code: writes none, which
-- means 1 for all. Transaction: yes.

-- JSON: versions by action id, where they are above 1.
alter table automation_versions add column config_versions text;
