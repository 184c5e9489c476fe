-- Saved states of runs that are over, or gone. $1 (seconds: all of them)   $2 how many
select f.run_id::text as name
  from run_frames f
  left join runs r on r.id = f.run_id and r.finished_at is null
 where r.id is null and $1::float8 is not null
 order by f.run_id
 limit $2;
