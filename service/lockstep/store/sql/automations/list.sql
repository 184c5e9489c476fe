-- A page of automations by creation; null for what does not matter.
-- :status text, :group text, :limit bigint, :offset bigint
-- :after bigint: behind this position
select a.*, v.definition
  from automations a
  join automation_versions v on v.automation_id = a.id and v.version = a.version
 where (:status is null or a.status = :status)
   and (:group is null or a.group_name = :group)
   and (:after is null or a.position > :after)
 order by a.position
 limit :limit offset :offset;
