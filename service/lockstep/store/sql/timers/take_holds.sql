-- Take holds that are due, each once; they are locked.
-- :ids uuid[], :now timestamptz
delete from timers
 where id = any (:ids) and kind = 'hold' and due_at <= :now
returning id;
