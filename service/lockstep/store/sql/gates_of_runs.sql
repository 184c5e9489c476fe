-- The queues that runs stand in or hold up. $1 run ids
select distinct gate from runs where id = any ($1::uuid[]) and gate is not null order by gate;
