-- Close an artifact: it is not consumed any more. Closing it again keeps the first time.
-- $1 id   $2 now
update artifacts set closed_at = coalesce(closed_at, $2) where id = $1 returning id;
