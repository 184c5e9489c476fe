-- When the next timer after a time is due. $1 that time
select min(due_at) as due_at from timers where due_at > $1;
