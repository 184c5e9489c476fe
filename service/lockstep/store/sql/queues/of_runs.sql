-- The queues that runs stand in or hold up.
-- :run_ids uuid[]
select distinct gate from runs where id = any (:run_ids) and gate is not null order by gate;
