-- The last occurrences of counters. $1 automation ids   $2 trigger ids   $3 partitions
select o.automation_id, o.trigger_id, o.partition, o.moments
  from unnest($1::text[], $2::text[], $3::bytea[]) as n (automation_id, trigger_id, partition)
  join occurrences o using (automation_id, trigger_id, partition);
