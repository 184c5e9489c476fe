-- Close artifacts that actions have consumed: rare, so it is no part of each checkpoint.
-- $1 ids   $2 when
update artifacts a
   set closed_at = c.at
  from unnest($1::uuid[], $2::timestamptz[]) as c (id, at)
 where a.id = c.id and a.closed_at is null;
