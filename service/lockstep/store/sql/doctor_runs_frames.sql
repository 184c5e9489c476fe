-- Active runs without a saved state. $1 (seconds: all of them)   $2 how many
select r.id::text as name
  from runs r
 where r.status in ('pending', 'running', 'waiting') and $1::float8 is not null
   and not exists (select from run_frames f where f.run_id = r.id)
 order by r.id
 limit $2;
