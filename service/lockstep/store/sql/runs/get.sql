-- One run with what it waits for, in words.
-- :id uuid
select r.*, coalesce(b.content, r.trigger_payload) as body,
       (select string_agg(w.waiting_for, '; ' order by w.id)
          from waits w
         where w.run_id = r.id and w.state = 'armed' and w.kind <> 'deadline') as waiting_for
  from runs r
  left join bodies b on b.id = r.body_id
 where r.id = :id;
