-- How many runs are owned, for test cases.
select count(*) from runs where owner is not null;
