-- Write the head of an automation. What was parked for it is tried again by all: who can judge that
-- depends on what it says now.
-- Locks: parked events by id; the automation is locked already.
-- :id text, :name text, :description text, :status text, :group text, :managed_by text
-- :version integer, :actor text, :now timestamptz
with parked as materialized (
    select id
      from parked_events
     where automation_id = :id and parked_tried <> '{}'
     order by id
       for no key update
),
untried as (
    update parked_events set parked_tried = '{}' where id in (select id from parked)
)
update automations
   set name = :name, description = :description, status = :status, group_name = :group,
       managed_by = :managed_by, version = :version, updated_by = :actor, updated_at = :now
 where id = :id;
