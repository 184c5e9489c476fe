-- What should have started by now. $1 until   $2 how many
select id, kind, due_at
  from timers
 where due_at <= $1
 order by due_at
 limit $2;
