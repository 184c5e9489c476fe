-- A type of trigger as it is stored.
-- :id text
select owner, document from trigger_types where id = :id;
