-- Say what a session is: whether it may write, how its database spells texts, and what is set in it.
--
-- :names text[]: of settings, which are given in the order of their names, each in its own unit.
--
-- Locks nothing.
select current_setting('transaction_read_only')::boolean as read_only,
       pg_is_in_recovery() as standby,
       current_setting('server_encoding') as encoding,
       array(
           select setting from pg_settings where name = any(:names) order by name collate "C"
       ) as values
