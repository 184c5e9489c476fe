-- Put another event in the place of a parked one: the topic goes on.
-- Locks: the row.
-- :topic text, :seq bigint, :subject text, :body bytea
update outbox
   set subject = :subject, body = :body, parked_at = null, parked_tried = null
 where topic = :topic and seq = :seq and parked_at is not null
returning topic;
