-- In small batches: receipts older than their time, of events that the stream no longer holds.
-- $1 hours   $2 how many
delete from receipts
 where delivery in (
       select delivery from receipts
        where received_at < clock_timestamp() - make_interval(hours => $1)
        order by received_at limit $2
       );
