-- Which holds are armed, and until when.
-- :holders (automation_id text, trigger_id text, topic bytea)
select t.id, t.automation_id, t.trigger_id, t.context_key, t.due_at
  from unnest(:holders)
  join timers t using (automation_id, trigger_id, topic)
 where t.kind = 'hold';
