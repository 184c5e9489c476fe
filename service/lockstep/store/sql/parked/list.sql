-- What is parked, the longest parked first, behind one of them.
-- :kind text, :automation_id text
-- :after timestamptz, :after_id text: of the last one before; null for the first page
-- :limit bigint
select kind, id, automation_id, run_id, event_id, parked_at, parked_reason, parked_version
  from parked
 where (:kind is null or kind = :kind)
   and (:automation_id is null or automation_id = :automation_id)
   and (:after is null or (parked_at, id) > (:after, :after_id))
 order by parked_at, id
 limit :limit;
