-- Note that an event is about to be handled alone. $1 delivery
insert into suspects (delivery, attempts) values ($1, 1)
    on conflict (delivery) do update
   set attempts = suspects.attempts + 1, noted_at = clock_timestamp()
returning attempts;
