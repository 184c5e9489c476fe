-- Runs of a worker that have a fired wait: their owner may have missed the notice.
-- :worker_id uuid, :limit bigint
select distinct r.id
  from waits w
  join runs r on r.id = w.run_id
 where w.state = 'fired' and r.owner = :worker_id
 limit :limit;
