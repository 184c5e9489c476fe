-- A page of automations by creation; null for what does not matter.
-- :status text, :group text, :limit bigint, :offset bigint
-- :after bigint: behind this position
-- :managed_by text
-- :event_named text: in the JSON of the definition
-- :text_like text: somewhere
select a.*, v.definition
  from automations a
  join automation_versions v on v.automation_id = a.id and v.version = a.version
 where (:status is null or a.status = :status)
   and (:group is null or a.group_name = :group)
   and (:after is null or a.position > :after)
   and (:managed_by is null or a.managed_by = :managed_by)
   and (:event_named is null or position(:event_named in v.definition) > 0)
   and (:text_like is null
        or a.id ilike :text_like
        or a.name ilike :text_like
        or a.description ilike :text_like
        or a.group_name ilike :text_like
        or v.definition ilike :text_like)
 order by a.position
 limit :limit offset :offset;
