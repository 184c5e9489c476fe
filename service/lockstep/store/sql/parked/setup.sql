-- Put the set-up of a trigger aside that this worker cannot begin: it has no owner then.
-- Locks: the set-up.
-- :automation_id text, :trigger_id text, :reason text, :version text, :worker_id uuid
update sources s
   set owner = '00000000-0000-0000-0000-000000000000', parked_at = clock_timestamp(),
       parked_reason = :reason, parked_version = :version,
       parked_tried = :worker_id || array(
           select t from unnest(s.parked_tried) as t
            where t <> :worker_id and exists (select from workers where id = t)
       )
 where automation_id = :automation_id and trigger_id = :trigger_id and owner = :worker_id;
