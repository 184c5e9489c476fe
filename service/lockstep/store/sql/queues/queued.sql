-- A page of the queues that are not empty, and whether the first of each may go on.
-- Steps from queue to queue along the index: most of them are held up, and stay as they are.
-- :after text, :limit bigint
with recursive gates as (
    (select gate from runs where queued and gate > :after order by gate limit 1)
    union all
    select (select r.gate from runs r where r.queued and r.gate > g.gate order by r.gate limit 1)
      from gates g
     where g.gate is not null
),
page as (
    select gate from gates where gate is not null limit :limit
)
select page.gate,
       not exists (
           select from runs r
            where r.automation_id = head.automation_id
              and (page.gate = head.automation_id
                   or r.context_key is not distinct from head.context_key)
              and not r.queued
              and r.status in ('pending', 'running', 'waiting')
           ) as moves
  from page
 cross join lateral (
       select q.automation_id, q.context_key
         from runs q
        where q.gate = page.gate and q.queued
        order by q.rank_time, q.rank_sequence, q.position
        limit 1
       ) as head
 order by page.gate;
