-- The last occurrences of counters.
-- :counters (automation_id text, trigger_id text, partition bytea)
select o.automation_id, o.trigger_id, o.partition, o.moments
  from unnest(:counters)
  join occurrences o using (automation_id, trigger_id, partition);
