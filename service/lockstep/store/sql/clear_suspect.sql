-- The worker has survived an event. $1 delivery
delete from suspects where delivery = $1;
