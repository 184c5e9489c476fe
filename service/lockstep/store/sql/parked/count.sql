-- How much is parked.
-- :kind text, :automation_id text
select count(*) as total
  from parked
 where (:kind is null or kind = :kind)
   and (:automation_id is null or automation_id = :automation_id);
