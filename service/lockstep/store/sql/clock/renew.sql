-- Keep what was measured of the clock of a stream, unless another replica has kept something since
-- it was read. Gives a row where it was kept.
-- Locks: that row, alone.
-- :stream text, :leader text, :ahead interval, :error interval
-- :because text: why it is begun anew; null where it goes on
-- :past_until timestamptz[], :past_ahead interval[], :past_error interval[]: by what goes what was
-- stored until then, by the clock of the stream
-- :seen timestamptz: when that was measured which was read; null where there was nothing
insert into stream_clocks as c (stream, leader, ahead, error, begun_because)
values (:stream, :leader, :ahead, :error, coalesce(:because, 'first'))
    on conflict (stream) do update
   set leader = excluded.leader, ahead = excluded.ahead, error = excluded.error,
       measured_at = clock_timestamp(),
       begun_at = case when :because is null then c.begun_at else clock_timestamp() end,
       begun_because = coalesce(:because, c.begun_because),
       was_ahead = case when :because is null then c.was_ahead else c.ahead end,
       past_until = :past_until, past_ahead = :past_ahead, past_error = :past_error
 where c.measured_at = :seen
returning stream;
