-- The roles and the database of Lockstep, for psql 15 or newer, run by a superuser:
--
--   export OWNER_PASSWORD_FILE=... ENGINE_PASSWORD_FILE=... READER_PASSWORD_FILE=...
--   psql --file roles.sql postgres
--
-- It may be run again: that sets the passwords to what the files hold now.
\set ON_ERROR_STOP on
\set QUIET on
\set owner_password `cat "$OWNER_PASSWORD_FILE"`
\set engine_password `cat "$ENGINE_PASSWORD_FILE"`
\set reader_password `cat "$READER_PASSWORD_FILE"`
select length(:'owner_password') * length(:'engine_password') * length(:'reader_password') > 0
    as all_given \gset
\if :all_given
\else
    do $$ begin raise 'a file with a password is missing or empty'; end $$;
\endif

-- Whoever reads the log of the server shall not read passwords.
set log_statement = 'none';
set log_min_error_statement = 'panic';
set log_min_duration_statement = -1;

select format('create role %I login', name)
  from unnest(array['lockstep_owner', 'lockstep_engine', 'lockstep_reader']) as name
 where not exists (select from pg_roles where rolname = name)
\gexec

set password_encryption = 'scram-sha-256';
alter role lockstep_owner with nosuperuser nocreatedb nocreaterole password :'owner_password';
alter role lockstep_engine with nosuperuser nocreatedb nocreaterole password :'engine_password';
alter role lockstep_reader with nosuperuser nocreatedb nocreaterole password :'reader_password';

-- People look, and get out of the way of the engine.
alter role lockstep_reader set default_transaction_read_only = on;
alter role lockstep_reader set statement_timeout = '60s';
alter role lockstep_reader set idle_in_transaction_session_timeout = '60s';
-- A migration that waits for a lock makes all others wait behind it: better it fails and is repeated.
alter role lockstep_owner set lock_timeout = '10s';

select 'create database lockstep owner lockstep_owner'
 where not exists (select from pg_database where datname = 'lockstep')
\gexec
revoke all on database lockstep from public;
grant connect on database lockstep to lockstep_engine, lockstep_reader;

\connect lockstep
set role lockstep_owner;

revoke all on schema public from public;
grant usage on schema public to lockstep_engine, lockstep_reader;

-- What migrations will create ...
alter default privileges in schema public
    grant select, insert, update, delete on tables to lockstep_engine;
alter default privileges in schema public grant usage, select on sequences to lockstep_engine;
alter default privileges in schema public grant select on tables to lockstep_reader;
-- ... and what is there, where this is run again.
grant select, insert, update, delete on all tables in schema public to lockstep_engine;
grant usage, select on all sequences in schema public to lockstep_engine;
grant select on all tables in schema public to lockstep_reader;
