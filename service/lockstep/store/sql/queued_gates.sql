-- The queues that are not empty. $1 how many
select distinct gate from runs where queued order by gate limit $1;
