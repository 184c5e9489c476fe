-- Write the head of an automation.
-- :id text, :name text, :description text, :status text, :group text, :managed_by text
-- :version integer, :actor text, :now timestamptz
update automations
   set name = :name, description = :description, status = :status, group_name = :group,
       managed_by = :managed_by, version = :version, updated_by = :actor, updated_at = :now
 where id = :id;
