-- The event ids that waits of some version look back on.
select distinct unnest(looks_back) as event_id
  from automation_versions
 where looks_back is not null;
