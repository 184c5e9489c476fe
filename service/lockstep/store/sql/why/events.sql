-- Recent events by event id or message id, newest first; among the last ones only, because no
-- index finds them by either: 20 000 are read in a moment.
-- :event text: event id or message id
-- :limit bigint
select delivery, event_id, message_id, received_at, time, context_key
  from (select * from receipts order by received_at desc limit 20000) as recent
 where (event_id = :event or message_id = :event)
   and delivery not like 'source:%' -- what set-ups fire is no event of the bus
 order by received_at desc
 limit :limit;
