-- Insert an automation with its first version. No row: its id is taken.
-- :id text, :name text, :description text, :status text, :group text, :managed_by text
-- :actor text, :now timestamptz, :definition text, :config_versions text
with head as (
    insert into automations (
        id, name, description, status, group_name, version, managed_by, updated_by, created_at,
        updated_at
    )
    values (:id, :name, :description, :status, :group, 1, :managed_by, :actor, :now, :now)
        on conflict (id) do nothing
    returning id
)
insert into automation_versions (automation_id, version, definition, config_versions, created_at)
select id, 1, :definition, :config_versions, :now from head
returning version;
