-- Keep the newest only.
-- :kept bigint
delete from judgements
 where position <= (select max(position) from judgements) - :kept;
