-- Versions that are not in force any more and have no active runs look back on nothing.
-- :before timestamptz: replaced before, so that no run of them is about to be launched
update automation_versions v
   set looks_back = null
  from automations a
 where v.looks_back is not null and a.id = v.automation_id and a.version <> v.version
   and a.updated_at < :before
   and not exists (
       select from runs r
        where r.automation_id = v.automation_id and r.version = v.version
          and r.status in ('pending', 'running', 'waiting')
       );
