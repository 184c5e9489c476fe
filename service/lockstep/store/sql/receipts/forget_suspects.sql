-- Marks of events that were handled alone long ago and have not come again.
-- :limit bigint
delete from suspects
 where delivery in (
       select delivery from suspects
        where noted_at < clock_timestamp() - interval '7 days'
        limit :limit
       );
