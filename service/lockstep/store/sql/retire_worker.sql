-- A worker that ends in good order; whatever it still owns can be adopted at once.
-- $1 id
delete from workers where id = $1;
