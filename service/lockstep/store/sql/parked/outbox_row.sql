-- A parked row of the outbox.
-- :topic text, :seq bigint
select topic, seq, subject, message_id, body, created_at
  from outbox
 where topic = :topic and seq = :seq and parked_at is not null;
