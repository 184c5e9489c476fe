-- Take holds that are due, each once; their locks are held. $1 ids   $2 now
delete from timers
 where id = any ($1::uuid[]) and kind = 'hold' and due_at <= $2
returning id;
