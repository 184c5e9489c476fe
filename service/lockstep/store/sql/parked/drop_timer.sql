-- Take a parked timer away; of a schedule it comes again with the next change of the automation.
-- :id uuid
delete from timers where id = :id and parked_at is not null returning id;
