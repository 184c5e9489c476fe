-- End sessions of ours that wait for their client in the middle of a statement: it is frozen, or cut
-- off. Between the preparing of a statement and its execution, and while a client takes no more of an
-- answer, no time-out of the server acts, and what the transaction has locked stays so.
-- :seconds float8
select count(*) filter (where pg_terminate_backend(pid))
  from pg_stat_activity
 where datname = current_database() and usename = current_user and application_name = 'lockstep'
   and state = 'active' and wait_event_type = 'Client'
   and query_start < clock_timestamp() - make_interval(secs => :seconds)
   and pid <> pg_backend_pid();
