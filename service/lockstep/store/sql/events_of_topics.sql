-- What is not yet published of these topics: who takes a run over publishes it first.
-- $1 topics
select topic, seq, subject, message_id, body, created_at
  from outbox
 where topic = any ($1::text[])
 order by topic, seq;
