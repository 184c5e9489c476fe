-- Waits that should have been fired by now. $1 seconds   $2 how many
select id::text as name
  from waits
 where state = 'armed' and due_at < clock_timestamp() - make_interval(secs => $1)
 order by due_at
 limit $2;
