-- Disarm timers. $1 ids
delete from timers where id = any ($1::uuid[]);
