-- Set what our statements rely on, for as long as the session lasts.
--
-- :settings (name text, value text)
--
-- Locks nothing.
select set_config(name, value, false) from unnest(:settings)
