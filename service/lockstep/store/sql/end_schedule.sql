-- Take away a schedule that has no further tick. $1 id   $2 the tick that was read
delete from timers where id = $1 and due_at = $2 returning id;
