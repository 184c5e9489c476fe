-- Forget up to where events were dropped, where no wait looks back so far any more.
-- :before timestamptz
delete from dropped_events where time < :before;
