-- What is not yet published of these topics: who takes a run over publishes it first.
-- :topics text[]
select topic, seq, subject, message_id, body, created_at, parked_at is not null as is_parked
  from outbox
 where topic = any (:topics)
 order by topic, seq;
