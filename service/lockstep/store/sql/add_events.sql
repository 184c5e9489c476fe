-- Events that belong to no walk: refusals, changes of automations.
-- $1 topics   $2 seqs   $3 subjects   $4 message ids   $5 bodies
insert into outbox (topic, seq, subject, message_id, body)
select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bytea[]);
