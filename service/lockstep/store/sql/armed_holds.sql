-- Which holds are armed. $1 automation ids   $2 trigger ids   $3 topics
select t.id, t.automation_id, t.trigger_id, t.context_key
  from unnest($1::text[], $2::text[], $3::bytea[]) as n (automation_id, trigger_id, topic)
  join timers t using (automation_id, trigger_id, topic)
 where t.kind = 'hold';
