-- How the planner would count the runs of a list: what that costs, and how many it takes them for.
-- Parameters as in `runs/count`. Nothing is read but statistics.
-- :automation_id text, :status text, :any_context_key boolean, :context_key text
-- :since timestamptz
explain (format json)
select from runs r
 where (:automation_id is null or r.automation_id = :automation_id)
   and (:status is null or r.status = :status)
   and (:any_context_key or r.context_key is not distinct from :context_key)
   and (:since is null or r.created_at >= :since);
