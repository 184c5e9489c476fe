-- The newest open artifact of each type: same automation, same context key (null only null).
-- :automation_id text, :context_key text, :types text[]
select t.artifact_type, newest.id, newest.data
  from unnest(:types) as t (artifact_type)
 cross join lateral (
       select a.id, a.data
         from artifacts a
        where a.automation_id = :automation_id
          and a.artifact_type = t.artifact_type
          and a.context_key is not distinct from :context_key
          and a.closed_at is null
        order by a.position desc
        limit 1
       ) as newest;
