-- Parked events that were judged, or have become dead letters.
-- :ids uuid[]
delete from parked_events where id = any (:ids) returning id;
