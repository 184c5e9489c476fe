-- Disarm timers.
-- :ids uuid[]
delete from timers where id = any (:ids);
