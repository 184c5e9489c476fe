-- Close artifacts that actions have consumed: rare, so it is no part of each checkpoint.
-- :consumed (id uuid, at timestamptz)
update artifacts a
   set closed_at = consumed.at
  from unnest(:consumed)
 where a.id = consumed.id and a.closed_at is null;
