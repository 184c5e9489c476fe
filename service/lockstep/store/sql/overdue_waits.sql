-- What should have been woken by now. $1 until   $2 how many
select id, run_id, kind, due_at
  from waits
 where state = 'armed' and due_at <= $1
 order by due_at
 limit $2;
