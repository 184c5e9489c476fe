-- A type of action as it is stored.
-- :id text
select owner, document from action_types where id = :id;
