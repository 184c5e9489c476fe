-- The events that are parked and may still change what is about to expire: they are in no stream any
-- more. Of a wait those that are for it, of a hold those for its automation, of its id and key and
-- from before it is due; what an older version has parked has no time, and may have any key. A
-- delivery has its sequence between two colons.
-- :questions (id uuid, event_id text, context_key text, until timestamptz)
select id, min(event_id) as event_id, count(*) as events,
       min(split_part(delivery, ':', -2)::bigint) as sequence
  from (
       select w.id, p.event_id, p.delivery
         from unnest(:questions)
         join waits w on w.id = questions.id
         join parked_events p on p.wait_id = w.id
        union all
       select t.id, p.event_id, p.delivery
         from unnest(:questions)
         join timers t on t.id = questions.id
         join parked_events p on p.automation_id = t.automation_id and p.wait_id is null
          and p.event_id = questions.event_id
          and (p.time is null
               or (p.time <= questions.until
                   and p.context_key is not distinct from questions.context_key))
       ) as found
 group by id;
