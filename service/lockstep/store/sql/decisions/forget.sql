-- Keep the newest only; of what is older, so many at once, the oldest first.
-- :kept bigint, :limit bigint
delete from judgements
 where position in (
       select position
         from judgements
        where position <= (select max(position) from judgements) - :kept
        order by position
        limit :limit
       );
