-- Note which events the waits of a version look back on.
-- :automation_id text, :version integer, :events text[]
update automation_versions
   set looks_back = :events
 where automation_id = :automation_id and version = :version;
