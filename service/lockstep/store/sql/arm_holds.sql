-- Arm holds; their locks are held.
-- $1 ids   $2 automation ids   $3 trigger ids   $4 topics   $5 context keys   $6 events
-- $7 armed   $8 due
insert into timers (
    id, kind, automation_id, trigger_id, topic, context_key, event, armed_at, due_at
)
select id, 'hold', automation_id, trigger_id, topic, context_key, event, armed_at, due_at
  from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::bytea[],
              $7::timestamptz[], $8::timestamptz[])
    as n (id, automation_id, trigger_id, topic, context_key, event, armed_at, due_at);
