-- Note which deliveries are new. What conflicts with either key has been handled before.
-- Sorted by delivery: two replicas that hold the same messages lock in the same order.
-- $1 deliveries   $2 event ids   $3 message ids (null where there is none)
insert into receipts (delivery, event_id, message_id)
select delivery, event_id, message_id
  from unnest($1::text[], $2::text[], $3::text[]) as fresh (delivery, event_id, message_id)
 order by delivery
    on conflict do nothing
returning delivery;
