-- Let armed waits look back again: an event has come that may end them, and an older one may follow.
-- Locks: waits; their runs are held.
-- :ids uuid[]
update waits
   set state = 'looking', since_time = null, since_sequence = null
 where id = any (:ids) and state = 'armed' and look_back is not null;
