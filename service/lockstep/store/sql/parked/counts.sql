-- How much is parked, by kind.
select kind, count(*) as number from parked group by kind;
