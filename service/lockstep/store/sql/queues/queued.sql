-- The queues that are not empty.
-- :limit bigint
select distinct gate from runs where queued order by gate limit :limit;
