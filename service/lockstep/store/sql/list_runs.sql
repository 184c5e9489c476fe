-- Newest first.
-- $1 automation id   $2 status   $3 any context key   $4 context key   $5 since
-- $6 before position, all null where they do not matter   $7 limit   $8 offset
select r.*,
       (select string_agg(w.waiting_for, '; ' order by w.id)
          from waits w
         where w.run_id = r.id and w.state = 'armed' and w.kind <> 'deadline') as waiting_for
  from runs r
 where ($1::text is null or r.automation_id = $1)
   and ($2::text is null or r.status = $2)
   and ($3::boolean or r.context_key is not distinct from $4::text)
   and ($5::timestamptz is null or r.created_at >= $5)
   and ($6::bigint is null or r.position < $6)
 order by r.position desc
 limit $7 offset $8;
