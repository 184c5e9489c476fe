-- Active runs that shall be cancelled with their parent, which was ended from outside: by an operator,
-- a newer run, its own parent, or its deadline. A page of them, by id.
-- :after uuid, :limit bigint
select c.id
  from runs c
  join runs p on p.id = c.parent_run_id
 where c.cancel_with_parent and c.status in ('pending', 'running', 'waiting')
   and p.finished_at is not null
   and (p.stopped or p.status = 'cancelled') -- what a version before has ended is not marked
   and c.id > :after
 order by c.id
 limit :limit;
