-- Let armed waits look back again: an event has come that may end them, and an older one may follow.
-- What they had seen before they were armed does not matter any more: from here on nothing may be
-- missing.
-- Locks: waits; their runs are held.
-- :looks (id uuid, since_time timestamptz, since_sequence bigint)
update waits w
   set state = 'looking', since_time = looks.since_time, since_sequence = looks.since_sequence
  from unnest(:looks)
 where w.id = looks.id and w.state = 'armed' and w.look_back is not null;
