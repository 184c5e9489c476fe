-- Say which automations this worker cannot compile. One that no living worker fails to compile is
-- not parked any more. What stands there already is neither written nor locked.
-- Locks: automations by id.
-- :automations (id text, reason text), :version text, :worker_id uuid
with unreadable as (
    select * from unnest(:automations)
),
concerned as (
    select a.id, u.reason, living.others
      from automations a
      left join unreadable u on u.id = a.id
     cross join lateral (
           select array(select t from unnest(a.parked_tried) as t
                         where t <> :worker_id and exists (select from workers where id = t)
                  ) as others
           ) as living
     where (u.id is not null or a.parked_at is not null)
       and case when u.id is null
                then living.others = '{}' or living.others is distinct from a.parked_tried
                else a.parked_tried is null or :worker_id <> all (a.parked_tried)
                     or a.parked_reason is distinct from u.reason end
     order by a.id collate "C"
       for no key update of a
)
update automations a
   set parked_at = case when c.reason is not null or c.others <> '{}'
                        then coalesce(a.parked_at, clock_timestamp()) end,
       parked_reason = coalesce(c.reason, a.parked_reason),
       parked_version = case when c.reason is null then a.parked_version else :version end,
       parked_tried = case when c.reason is null then c.others else :worker_id || c.others end
  from concerned c
 where a.id = c.id;
