-- How many runs wait for a place; counted up to the limit.
-- :limit bigint
select count(*) as ready
  from (select from runs where status = 'pending' and not queued
         order by automation_id limit :limit) as first_ones;
