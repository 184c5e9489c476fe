-- The bus has acknowledged them.
-- Locks: events, in the order in which they are given: by topic and seq.
-- :events (topic text, seq bigint)
delete from outbox o
 using unnest(:events)
 where o.topic = events.topic and o.seq = events.seq;
