-- A page of runs, newest first; null for what does not matter. A large payload is left out.
-- :id_from uuid, :id_to uuid: its id between these
-- :automation_id text, :statuses text[], :any_context_key boolean, :context_key text
-- :since timestamptz
-- :event text: this one; :event_begins text: all that begin so
-- :error_like text: in its error; :text_like text: somewhere
-- :text_bytes bytea: or so in its payload
-- :before bigint: before this position
-- :floor bigint: and not before this one, see `runs/floor`
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
 where (:id_from is null or r.id between :id_from and :id_to)
   and (:automation_id is null or r.automation_id = :automation_id)
   and (:statuses is null or r.status = any (:statuses))
   and (:any_context_key or r.context_key is not distinct from :context_key)
   and (:since is null or r.created_at >= :since)
   and (:event is null or r.trigger_event_id = :event)
   and (:event_begins is null or starts_with(r.trigger_event_id, :event_begins))
   and (:error_like is null or r.error_message ilike :error_like)
   and (:text_like is null
        or r.automation_name ilike :text_like
        or r.trigger_event_id ilike :text_like
        or r.message_id ilike :text_like
        or r.context_key ilike :text_like
        or r.error_message ilike :text_like
        or r.reason ilike :text_like
        or case when octet_length(r.trigger_payload) <= 8192
                then position(:text_bytes in r.trigger_payload) > 0 end)
   and (:before is null or r.position < :before)
   and (:floor is null or r.position >= :floor)
 order by r.position desc
 limit :limit offset :offset;
