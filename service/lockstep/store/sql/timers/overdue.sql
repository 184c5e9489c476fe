-- What should have started by now.
-- :until timestamptz, :limit bigint
select id, kind, due_at
  from timers
 where due_at <= :until
 order by due_at
 limit :limit;
