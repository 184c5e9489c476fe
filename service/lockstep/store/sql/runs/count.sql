-- How many runs there are in a list; null for what does not matter.
-- :automation_id text, :status text, :any_context_key boolean, :context_key text
-- :since timestamptz
select count(*) as total
  from runs r
 where (:automation_id is null or r.automation_id = :automation_id)
   and (:status is null or r.status = :status)
   and (:any_context_key or r.context_key is not distinct from :context_key)
   and (:since is null or r.created_at >= :since);
