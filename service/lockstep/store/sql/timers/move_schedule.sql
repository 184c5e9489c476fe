-- Set the next tick of a schedule, if nobody has done so since it was read.
-- :id uuid
-- :due_at timestamptz: the tick that was read
-- :following timestamptz: the next
-- :last_value boolean
update timers
   set due_at = :following, last_value = :last_value, parked_tried = null
 where id = :id and due_at = :due_at
returning id;
