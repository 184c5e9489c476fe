-- The worker has survived an event.
-- :delivery text
delete from suspects where delivery = :delivery;
