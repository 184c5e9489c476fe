-- Take a parked row of the outbox away, of a topic that is no run.
-- :topic text, :seq bigint
delete from outbox where topic = :topic and seq = :seq and parked_at is not null returning topic;
