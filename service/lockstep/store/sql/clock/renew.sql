-- Keep what was measured of the clock of a stream, unless another replica has kept something since
-- it was read. Gives a row where it was kept.
-- Locks: that row, alone.
-- :stream text, :leader text, :ahead interval, :error interval
-- :because text: why it is begun anew; null where it goes on
-- :since timestamptz: from when on it counts, by the clock of the stream; null: at once, for all
-- :seen timestamptz: when that was measured which was read; null where there was nothing
insert into stream_clocks as c (stream, leader, ahead, error, begun_because)
values (:stream, :leader, :ahead, :error, coalesce(:because, 'first'))
    on conflict (stream) do update
   set leader = excluded.leader, ahead = excluded.ahead, error = excluded.error,
       measured_at = clock_timestamp(),
       begun_at = case when :because is null then c.begun_at else clock_timestamp() end,
       begun_because = coalesce(:because, c.begun_because),
       was_ahead = case when :because is null then c.was_ahead else c.ahead end,
       since = :since,
       ahead_before = case when :because is null then c.ahead end,
       error_before = case when :because is null then c.error end
 where c.measured_at = :seen
returning stream;
