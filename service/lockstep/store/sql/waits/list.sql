-- What a run waits for, in the order in which it began to. One that looks back is armed in a moment.
-- :run_id uuid
select id, action_path, kind, waiting_for, event_id, context_key, filter, warning, due_at,
       case state when 'looking' then 'armed' else state end as state, armed_at, fired_at
  from waits
 where run_id = :run_id
 order by id;
