-- Runs of a worker that have a fired wait: their owner may have missed the word.
-- $1 the worker   $2 how many
select distinct r.id
  from waits w
  join runs r on r.id = w.run_id
 where w.state = 'fired' and r.owner = $1
 limit $2;
