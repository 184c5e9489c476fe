-- 0020_why_waits: finds the versions of automations that wait for events, without reading the others.
-- Apply: at any time. Lock: share on automation_versions while each definition is read once; who
-- saves an automation waits for it, a second for some ten thousand versions. Older code: makes no use
-- of it. Transaction: yes.
create index versions_waiting on automation_versions (created_at)
    where strpos(definition, '"wait_for_trigger"') > 0;
