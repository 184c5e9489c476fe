-- Take set-ups that no living worker runs, as many as there is a fair share of.
-- $1 automation ids   $2 trigger ids   $3 worker   $4 seconds until a worker is stale   $5 how many
with free as (
    select n.automation_id, n.trigger_id
      from unnest($1::text[], $2::text[]) with ordinality as n (automation_id, trigger_id, place)
     where not exists (
           select from sources s
             join workers w on w.id = s.owner
              and w.heartbeat_at > clock_timestamp() - make_interval(secs => $4)
            where s.automation_id = n.automation_id and s.trigger_id = n.trigger_id
           )
     order by n.automation_id, n.trigger_id
     limit $5
)
insert into sources (automation_id, trigger_id, owner)
select automation_id, trigger_id, $3 from free
    on conflict (automation_id, trigger_id) do update
   set owner = excluded.owner, claimed_at = clock_timestamp()
 where not exists (
       select from workers w
        where w.id = sources.owner
          and w.heartbeat_at > clock_timestamp() - make_interval(secs => $4)
       )
returning automation_id, trigger_id;
