-- Take away a schedule that has no further tick.
-- :id uuid
-- :due_at timestamptz: the tick that was read
delete from timers where id = :id and due_at = :due_at returning id;
