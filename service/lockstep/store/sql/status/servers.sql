-- What PostgreSQL is, and the newest migration that its schema has.
select current_setting('server_version') as version,
       (select max(name) from schema_migrations) as migration;
