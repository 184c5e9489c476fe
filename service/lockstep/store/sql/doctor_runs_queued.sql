-- Runs in a queue that no active run holds up, for a while. $1 seconds   $2 how many
select q.id::text as name
  from runs q
 where q.queued and q.created_at < clock_timestamp() - make_interval(secs => $1)
   and not exists (
       select from runs r
        where r.automation_id = q.automation_id and not r.queued
          and (q.gate = q.automation_id or r.context_key is not distinct from q.context_key)
          and r.status in ('pending', 'running', 'waiting')
   )
 order by q.id
 limit $2;
