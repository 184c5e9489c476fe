-- Keep bodies of events that start more than one run.
-- :bodies (id uuid, content bytea)
insert into bodies (id, content) select * from unnest(:bodies);
