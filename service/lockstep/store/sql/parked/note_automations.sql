-- Say which automations this worker cannot compile. One that no living worker fails to compile is
-- not parked any more.
-- Locks: automations.
-- :automations (id text, reason text), :version text, :worker_id uuid
with unreadable as (
    select * from unnest(:automations)
),
concerned as (
    select a.id, u.reason,
           array(select t from unnest(a.parked_tried) as t
                  where t <> :worker_id and exists (select from workers where id = t)
           ) as others
      from automations a
      left join unreadable u on u.id = a.id
     where u.id is not null or a.parked_at is not null
     order by a.id
       for no key update of a
)
update automations a
   set parked_at = case when c.reason is not null or c.others <> '{}'
                        then coalesce(a.parked_at, clock_timestamp()) end,
       parked_reason = coalesce(c.reason, a.parked_reason),
       parked_version = case when c.reason is null then a.parked_version else :version end,
       parked_tried = case when c.reason is null then c.others else :worker_id || c.others end
  from concerned c
 where a.id = c.id
   and (c.reason is null or not (a.parked_tried is not null and :worker_id = any (a.parked_tried))
        or a.parked_reason <> c.reason);
