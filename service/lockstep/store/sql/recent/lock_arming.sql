-- Have topics alone, to look back on their events and arm waits for the next ones.
-- Locks: topics, in the order of their bytes.
-- :topics bytea[]
select pg_advisory_xact_lock(hashtextextended(encode(topic, 'hex'), 8))
  from (select topic from unnest(:topics) as topics (topic) order by topic) as sorted;
