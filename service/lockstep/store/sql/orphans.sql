-- Active runs that shall be cancelled with their parent, which was. $1 how many
select c.id
  from runs c
  join runs p on p.id = c.parent_run_id
 where c.cancel_with_parent and c.status in ('pending', 'running', 'waiting')
   and p.status = 'cancelled'
 limit $1;
