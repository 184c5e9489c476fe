-- How many failures of imports nobody has acknowledged.
select count(*) from migration_failures where acknowledged_at is null;
