-- The run of a parked wait.
-- :id uuid
select run_id, waiting_for from waits where id = :id and state = 'parked';
