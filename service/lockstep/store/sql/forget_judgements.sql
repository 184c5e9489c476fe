-- Keep the newest only. $1 how many
delete from judgements
 where position <= (select max(position) from judgements) - $1::bigint;
