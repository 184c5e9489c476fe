-- Set the next tick of a schedule, if nobody has done so since it was read.
-- $1 id   $2 the tick that was read   $3 the next   $4 last value
update timers
   set due_at = $3, last_value = $4
 where id = $1 and due_at = $2
returning id;
