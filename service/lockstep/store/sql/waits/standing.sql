-- What a batch that was judged beforehand is compared with: the revision that it must be judged by,
-- and the waits that its events may satisfy, by the place of the event: as in waits/awaited. At least
-- one row.
-- :events (topic bytea, id text, context_key text, time timestamptz)
select c.revision, found.place, found.id
  from catalog_revision c
  left join (
      select events.place, w.id
        from unnest(:events) with ordinality
        join waits w on w.topic = events.topic and w.state = 'armed'
       where w.event_id = events.id and w.context_key is not distinct from events.context_key
         and (w.due_at is null or events.time <= w.due_at)
  ) found on true
 order by found.place, found.id;
