-- Arm waits that have looked back. Under the locks of their topics.
-- Locks: waits; their runs are held.
-- :looks (id uuid, since_time timestamptz, since_sequence bigint)
update waits w
   set state = 'armed', since_time = looks.since_time, since_sequence = looks.since_sequence
  from unnest(:looks)
 where w.id = looks.id and w.state = 'looking';
