-- Recent events by event id or message id, newest first; among the last ones only.
-- $1 event id or message id   $2 how many
select delivery, event_id, message_id, received_at
  from (select * from receipts order by received_at desc limit 20000) as recent
 where (event_id = $1 or message_id = $1)
   and delivery not like 'source:%' -- what set-ups fire is no event of the bus
 order by received_at desc
 limit $2;
