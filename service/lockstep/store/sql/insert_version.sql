-- $1 automation id   $2 version   $3 definition   $4 now   $5 versions of configs
insert into automation_versions (automation_id, version, definition, created_at, config_versions)
values ($1, $2, $3, $4, $5);
