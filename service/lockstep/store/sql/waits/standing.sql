-- What a batch that was judged beforehand is compared with: the revision that it must be judged by,
-- and the waits that its events may satisfy, by the place of the event. At least one row.
-- :events (topic bytea, id text, context_key text)
select c.revision, found.place, found.id
  from catalog_revision c
  left join (
      select events.place, w.id
        from unnest(:events) with ordinality
        join waits w on w.topic = events.topic and w.state = 'armed'
       where w.event_id = events.id and w.context_key is not distinct from events.context_key
  ) found on true
 order by found.place, found.id;
