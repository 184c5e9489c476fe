-- Name the process of the server that answers a session.
--
-- Locks nothing.
select pg_backend_pid()
