-- Note which deliveries are new. What conflicts with either key has been handled before.
-- Locks: receipts by event and message, then delivery. Two replicas that are given the same
-- messages do so in one order, and those that are given what was published twice too: whoever has
-- the first of a message holds all of it.
-- :events (delivery text, id text, message_id text, stream text, sequence bigint,
--     time timestamptz, context_key text): a key is cut, and empty where there is none
insert into receipts (delivery, event_id, message_id, stream, sequence, time, context_key)
select delivery, id, message_id, stream, sequence, time, context_key
  from unnest(:events)
 order by id collate "C", message_id collate "C", delivery collate "C"
    on conflict do nothing
returning delivery;
