-- When the next wait after a time is due. $1 that time
select min(due_at) as due_at from waits where state = 'armed' and due_at > $1;
