-- $1 id  $2 name  $3 description  $4 status  $5 group  $6 managed by  $7 actor  $8 now  $9 definition
-- $10 versions of configs
with head as (
    insert into automations (
        id, name, description, status, group_name, version, managed_by, updated_by, created_at,
        updated_at
    )
    values ($1, $2, $3, $4, $5, 1, $6, $7, $8, $8)
        on conflict (id) do nothing
    returning id
)
insert into automation_versions (automation_id, version, definition, config_versions, created_at)
select id, 1, $9::text, $10::text, $8::timestamptz from head
returning version;
