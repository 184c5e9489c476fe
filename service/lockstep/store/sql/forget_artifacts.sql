-- Artifacts that were closed long ago and whose run is forgotten. $1 closed before   $2 how many
delete from artifacts
 where id = any (array(
       select a.id
         from artifacts a
        where a.closed_at < $1 and not exists (select from runs r where r.id = a.run_id)
        order by a.closed_at
        limit $2
          for update of a skip locked
       ));
