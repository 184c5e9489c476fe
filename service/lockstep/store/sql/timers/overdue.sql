-- What should have started by now: a page, earliest first.
-- :until timestamptz, :limit bigint
-- :after timestamptz, :after_id uuid: the last one of the page before
select id, kind, due_at
  from timers
 where due_at <= :until and parked_at is null and (due_at, id) > (:after, :after_id)
 order by due_at, id
 limit :limit;
