-- The body of an event that several runs share.
-- :id uuid
select content from bodies where id = :id;
