-- What may come yet before what these waits have found: those that look back, and are not done.
-- :ids uuid[]
select id, event_id, context_key from waits where id = any (:ids) and state = 'looking';
