-- Share the topics of events that are about to be handled: whoever arms waits that look back on them
-- has each alone, see recent/lock_arming. So it sees all that was handled, or is seen.
-- Locks: topics, in the order of their bytes.
-- :topics bytea[]
select pg_advisory_xact_lock_shared(hashtextextended(encode(topic, 'hex'), 8))
  from (select topic from unnest(:topics) as topics (topic) order by topic) as sorted;
