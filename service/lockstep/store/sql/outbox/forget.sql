-- The bus has acknowledged them.
-- :events (topic text, seq bigint)
delete from outbox o
 using unnest(:events)
 where o.topic = events.topic and o.seq = events.seq;
