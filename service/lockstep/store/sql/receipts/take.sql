-- Note which deliveries are new. What conflicts with either key has been handled before.
-- Locks: receipts by delivery: two replicas that are given the same messages do so in one order.
-- :events (delivery text, id text, message_id text)
insert into receipts (delivery, event_id, message_id)
select delivery, id, message_id
  from unnest(:events)
 order by delivery
    on conflict do nothing
returning delivery;
