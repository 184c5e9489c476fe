-- Waits that should have been fired by now.
-- :seconds float8, :limit bigint
select id::text as name
  from waits
 where state in ('armed', 'looking') and due_at < clock_timestamp() - make_interval(secs => :seconds)
 order by due_at
 limit :limit;
