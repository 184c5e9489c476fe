-- How many runs wait for a place; counted up to $1.
select count(*) as ready
  from (select from runs where status = 'pending' and not queued
         order by automation_id limit $1) as first_ones;
