-- Waits that have not looked back yet, by id: those that nobody has told of are among them.
-- :after uuid, :limit bigint
select id from waits where state = 'looking' and id > :after order by id limit :limit;
