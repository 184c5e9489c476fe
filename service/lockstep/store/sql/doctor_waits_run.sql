-- Waits of runs that are over, or gone. $1 (seconds: all of them)   $2 how many
select w.id::text as name
  from waits w
  left join runs r on r.id = w.run_id and r.finished_at is null
 where r.id is null and $1::float8 is not null
 order by w.id
 limit $2;
