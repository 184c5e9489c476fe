-- One run with what it waits for, in words.
-- :id uuid
select r.*, coalesce(b.content, r.trigger_payload) as body,
       case when r.parked_at is not null and r.status = 'waiting'
            then 'a replica that can take it up: ' || r.parked_reason
            else (select string_agg(w.waiting_for, '; ' order by w.id)
                    from waits w
                   where w.run_id = r.id and w.state <> 'fired' and w.kind <> 'deadline')
             end as waiting_for
  from runs r
  left join bodies b on b.id = r.body_id
 where r.id = :id;
