-- Give set-ups back.
-- Locks: set-ups, as whoever claims them.
-- :setups (automation_id text, trigger_id text)
-- :worker_id uuid
delete from sources
 where (automation_id, trigger_id) in (
       select s.automation_id, s.trigger_id
         from unnest(:setups)
         join sources s using (automation_id, trigger_id)
        where s.owner = :worker_id
        order by s.automation_id collate "C", s.trigger_id collate "C"
          for update of s
       );
