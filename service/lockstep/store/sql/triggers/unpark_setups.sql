-- The automation has changed, or is gone: whoever could not begin its set-ups tries them anew.
-- Locks: set-ups.
-- :setups (automation_id text, trigger_id text)
with gone as (
    delete from sources s
     using unnest(:setups)
     where s.automation_id = setups.automation_id and s.trigger_id = setups.trigger_id
       and s.parked_at is not null
    returning s.automation_id, s.trigger_id
)
update sources s
   set parked_tried = null
 where s.parked_at is null and s.parked_tried is not null
   and (s.automation_id, s.trigger_id) in (select automation_id, trigger_id from unnest(:setups))
   and not exists (
       select from gone g
        where g.automation_id = s.automation_id and g.trigger_id = s.trigger_id
   );
