-- All versions, oldest first, with the runs that are pinned to them.
-- :automation_id text
select v.version, v.definition, v.created_at,
       (select count(*)
          from runs r
         where r.automation_id = v.automation_id
           and r.version = v.version
           and r.status in ('pending', 'running', 'waiting')) as active_runs
  from automation_versions v
 where v.automation_id = :automation_id
 order by v.version;
