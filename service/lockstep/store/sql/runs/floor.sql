-- The position down to which a page of runs is looked for, if what it looks for is in no index: with
-- so many runs to be looked through. Nothing where there are not so many.
-- :id_from uuid, :id_to uuid
-- :automation_id text, :statuses text[], :any_context_key boolean, :context_key text
-- :since timestamptz, :event text
-- :before bigint: before this position
-- :looked_through bigint
select r.position
  from runs r
 where (:id_from is null or r.id between :id_from and :id_to)
   and (:automation_id is null or r.automation_id = :automation_id)
   and (:statuses is null or r.status = any (:statuses))
   and (:any_context_key or r.context_key is not distinct from :context_key)
   and (:since is null or r.created_at >= :since)
   and (:event is null or r.trigger_event_id = :event)
   and (:before is null or r.position < :before)
 order by r.position desc
 limit 1 offset :looked_through - 1;
