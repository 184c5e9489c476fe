-- Active runs that shall be cancelled with their parent, which was.
-- :limit bigint
select c.id
  from runs c
  join runs p on p.id = c.parent_run_id
 where c.cancel_with_parent and c.status in ('pending', 'running', 'waiting')
   and p.status = 'cancelled'
 limit :limit;
