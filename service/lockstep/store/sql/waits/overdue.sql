-- What should have been woken by now: a page, earliest first. Not what runs have left that are over.
-- :until timestamptz, :limit bigint
-- :after timestamptz, :after_id uuid: the last one of the page before
select w.id, w.run_id, w.kind, w.due_at
  from waits w
  join runs r on r.id = w.run_id
 where w.state = 'armed' and w.due_at <= :until and (w.due_at, w.id) > (:after, :after_id)
   and r.finished_at is null
 order by w.due_at, w.id
 limit :limit;
