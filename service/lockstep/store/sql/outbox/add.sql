-- Events that belong to no walk: refusals, changes of automations.
-- :events (topic text, seq bigint, subject text, message_id text, body bytea)
insert into outbox (topic, seq, subject, message_id, body)
select * from unnest(:events);
