-- Keep why the filters of waits could not be judged.
-- :warnings (id uuid, reason text)
update waits w
   set warning = warnings.reason
  from unnest(:warnings)
 where w.id = warnings.id and w.state = 'armed';
