-- $1 automation id   $2 version   $3 definition   $4 now
insert into automation_versions (automation_id, version, definition, created_at)
values ($1, $2, $3, $4);
