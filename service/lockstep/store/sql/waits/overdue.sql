-- What should have been woken by now.
-- :until timestamptz, :limit bigint
select id, run_id, kind, due_at
  from waits
 where state = 'armed' and due_at <= :until
 order by due_at
 limit :limit;
