-- Versions that were replaced long ago and have no active runs look back on nothing.
-- :before timestamptz: replaced before, so that a retry of their runs looks back so far, and no run of
-- them is about to be launched
update automation_versions v
   set looks_back = null
 where v.looks_back is not null
   and exists (
       select from automation_versions later
        where later.automation_id = v.automation_id and later.version > v.version
          and later.created_at < :before
       )
   and not exists (
       select from runs r
        where r.automation_id = v.automation_id and r.version = v.version
          and r.status in ('pending', 'running', 'waiting')
       );
