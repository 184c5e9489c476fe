-- The newest open artifact of each type: same automation, same context key (null only null).
-- $1 automation id   $2 context key   $3 types
select t.artifact_type, newest.id, newest.data
  from unnest($3::text[]) as t (artifact_type)
 cross join lateral (
       select a.id, a.data
         from artifacts a
        where a.automation_id = $1
          and a.artifact_type = t.artifact_type
          and a.context_key is not distinct from $2
          and a.closed_at is null
        order by a.position desc
        limit 1
       ) as newest;
