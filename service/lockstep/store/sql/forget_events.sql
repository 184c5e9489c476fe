-- The bus has acknowledged them.
-- $1 topics   $2 seqs
delete from outbox o
 using unnest($1::text[], $2::bigint[]) as done (topic, seq)
 where o.topic = done.topic and o.seq = done.seq;
