-- A page of runs, newest first; null for what does not matter.
-- :automation_id text, :status text, :any_context_key boolean, :context_key text
-- :since timestamptz
-- :before bigint: before this position
-- :limit bigint, :offset bigint
select r.*,
       (select string_agg(w.waiting_for, '; ' order by w.id)
          from waits w
         where w.run_id = r.id and w.state = 'armed' and w.kind <> 'deadline') as waiting_for
  from runs r
 where (:automation_id is null or r.automation_id = :automation_id)
   and (:status is null or r.status = :status)
   and (:any_context_key or r.context_key is not distinct from :context_key)
   and (:since is null or r.created_at >= :since)
   and (:before is null or r.position < :before)
 order by r.position desc
 limit :limit offset :offset;
