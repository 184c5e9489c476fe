-- Keep why the filters of waits could not be judged. $1 wait ids   $2 reasons
update waits w
   set warning = n.reason
  from unnest($1::uuid[], $2::text[]) as n (id, reason)
 where w.id = n.id and w.state = 'armed';
