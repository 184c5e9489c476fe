-- What is known of the clock of a stream. Its age is told by one clock: whoever reads it has
-- perhaps another.
-- :stream text
select stream, leader, ahead, error, measured_at, begun_at, begun_because, was_ahead,
       past_until, past_ahead, past_error,
       extract(epoch from clock_timestamp() - measured_at)::float8 as age_seconds
  from stream_clocks
 where stream = :stream;
