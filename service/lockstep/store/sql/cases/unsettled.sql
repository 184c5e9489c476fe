-- Whether something is left, for test cases, that replicas do by themselves without that time passes: a
-- run that is ready, what is due, a queue that goes on, a step whose run has ended, a run that ends
-- with its parent.
-- :now timestamptz: the time of the case
select exists (select from runs where status = 'pending' and not queued)
    or exists (select from waits where state = 'looking')
    or exists (select from timers where due_at <= :now and parked_at is null)
    or exists (
        select from waits w
          join runs r on r.id = w.run_id and r.finished_at is null
          left join runs c on c.parent_run_id = r.id and c.parent_path = w.action_path
         where w.state = 'armed'
           and (w.due_at <= :now or (w.kind = 'child' and c.finished_at is not null))
       )
    or exists (
        select from runs q
         where q.queued and not exists (
               select from runs r
                where r.automation_id = q.automation_id
                  and (q.gate = q.automation_id
                       or r.context_key is not distinct from q.context_key)
                  and not r.queued
                  and r.status in ('pending', 'running', 'waiting')
               )
       )
    or exists (
        select from runs c
          join runs p on p.id = c.parent_run_id and p.stopped
         where c.cancel_with_parent and c.status in ('pending', 'running', 'waiting')
       );
