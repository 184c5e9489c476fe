-- The queues that runs stand in or hold up.
-- :run_ids uuid[]
select gate
  from runs
 where id = any (:run_ids) and gate is not null
 group by gate
 order by gate collate "C";
