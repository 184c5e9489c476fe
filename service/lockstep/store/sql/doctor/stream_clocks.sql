-- How far the clocks of streams are ahead, by the last measurement of any replica.
select stream, leader, ahead, error,
       extract(epoch from clock_timestamp() - measured_at)::float8 as age_seconds
  from stream_clocks
 order by stream collate "C";
