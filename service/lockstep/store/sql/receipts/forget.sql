-- In small batches: receipts older than their time, of events that the stream no longer holds.
-- :hours integer, :limit bigint
delete from receipts
 where delivery in (
       select delivery from receipts
        where received_at < clock_timestamp() - make_interval(hours => :hours)
        order by received_at limit :limit
       );
