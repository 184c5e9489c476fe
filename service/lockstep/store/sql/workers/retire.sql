-- A worker that ends in good order; whatever it still owns can be adopted at once.
-- :id uuid
delete from workers where id = :id;
