-- When the next wait after a time is due.
-- :after timestamptz
select min(due_at) as due_at from waits where state = 'armed' and due_at > :after;
