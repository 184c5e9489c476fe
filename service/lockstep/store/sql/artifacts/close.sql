-- Close an artifact: it is not consumed any more. Closing it again keeps the first time.
-- :id uuid, :now timestamptz
update artifacts set closed_at = coalesce(closed_at, :now) where id = :id returning id;
