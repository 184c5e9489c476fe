-- How many automations there are in a list; null for what does not matter.
-- :status text, :group text
select count(*) as total
  from automations a
 where (:status is null or a.status = :status)
   and (:group is null or a.group_name = :group);
