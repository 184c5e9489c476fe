-- How the planner would count the runs of a list: what that costs, and how many it takes them for.
-- Parameters as in `runs/count`. Nothing is read but statistics.
-- :id_from uuid, :id_to uuid: its id between these
-- :automation_id text, :statuses text[], :any_context_key boolean, :context_key text
-- :since timestamptz
-- :event text: this one; :event_begins text: all that begin so
-- :error_like text: in its error; :text_like text: somewhere
-- :text_bytes bytea: or so in its payload
explain (format json)
select from runs r
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
                then position(:text_bytes in r.trigger_payload) > 0 end);
