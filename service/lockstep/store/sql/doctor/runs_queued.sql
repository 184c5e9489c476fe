-- Runs in a queue that no active run holds up, for a while.
-- :seconds float8, :limit bigint
select q.id::text as name
  from runs q
 where q.queued and q.created_at < clock_timestamp() - make_interval(secs => :seconds)
   and not exists (
       select from runs r
        where r.automation_id = q.automation_id and not r.queued
          and (q.gate = q.automation_id or r.context_key is not distinct from q.context_key)
          and r.status in ('pending', 'running', 'waiting')
   )
 order by q.id
 limit :limit;
