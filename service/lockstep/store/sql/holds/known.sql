-- What is kept for holders: the hold that stands, and events, oldest first.
-- :holders (automation_id text, trigger_id text, topic bytea)
select holders.place, t.id, t.event_time as time, t.event_sequence as sequence, t.due_at,
       t.armed_at, case when t.event_time is null then t.event end as event, 0 as size
  from unnest(:holders) with ordinality
  join timers t using (automation_id, trigger_id, topic)
 where t.kind = 'hold'
 union all
select holders.place, null, h.time, h.sequence, h.due_at, null, null,
       coalesce(octet_length(h.event), 0) + coalesce(octet_length(h.context_key), 0)
  from unnest(:holders) with ordinality
  join hold_events h using (automation_id, trigger_id, topic)
 order by place, time, sequence;
