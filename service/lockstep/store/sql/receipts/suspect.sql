-- Note that an event is about to be handled alone.
-- :delivery text
insert into suspects (delivery, attempts) values (:delivery, 1)
    on conflict (delivery) do update
   set attempts = suspects.attempts + 1, noted_at = clock_timestamp()
returning attempts;
