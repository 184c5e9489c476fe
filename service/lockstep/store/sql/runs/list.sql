-- A page of runs, newest first; null for what does not matter. A large payload is left out.
-- :automation_id text, :status text, :any_context_key boolean, :context_key text
-- :since timestamptz
-- :before bigint: before this position
-- :limit bigint, :offset bigint
select r.id, r.position, r.automation_id, r.automation_name, r.version, r.trigger_id,
       r.trigger_event_id, r.actor, r.context_key, r.status, r.error_message, r.reason,
       r.started_at, r.finished_at, r.parent_run_id,
       case when r.body_id is null and octet_length(r.trigger_payload) <= 8192
            then r.trigger_payload end as body,
       case when r.parked_at is not null and r.status = 'waiting'
            then 'a replica that can take it up: ' || r.parked_reason
            else (select string_agg(w.waiting_for, '; ' order by w.id)
                    from waits w
                   where w.run_id = r.id and w.state <> 'fired' and w.kind <> 'deadline')
             end as waiting_for
  from runs r
 where (:automation_id is null or r.automation_id = :automation_id)
   and (:status is null or r.status = :status)
   and (:any_context_key or r.context_key is not distinct from :context_key)
   and (:since is null or r.created_at >= :since)
   and (:before is null or r.position < :before)
 order by r.position desc
 limit :limit offset :offset;
