-- Runs by what they wait for. One that waits for several things at once counts for each; one that
-- sleeps waits for nothing but a time. The deadline of a run is not what it waits for.
with waiting as (
    select run_id,
           bool_or(kind = 'delay') as for_delay,
           bool_or(kind = 'event') as for_event,
           bool_or(kind = 'retry') as for_retry,
           bool_or(kind = 'remote') as for_remote,
           bool_or(kind = 'child') as for_child,
           min(due_at) as due_at
      from waits
     where state = 'armed' and kind <> 'deadline'
     group by run_id
)
select count(*) filter (where for_delay) as delay,
       count(*) filter (where for_event) as event,
       count(*) filter (where for_retry) as retry,
       count(*) filter (where for_remote) as remote,
       count(*) filter (where for_child) as child,
       count(*) filter (where not (for_event or for_remote or for_child)) as sleeping,
       min(due_at) as next_due_at
  from waiting;
