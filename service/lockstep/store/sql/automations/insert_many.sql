-- Insert many automations at once, enabled, in their first version.
-- :automations (id text, name text, definition text)
with wanted as (
    select * from unnest(:automations) with ordinality
),
added as (
    insert into automations (id, name, status, version, created_at, updated_at)
    select id, name, 'enabled', 1, clock_timestamp(), clock_timestamp()
      from wanted
     order by place
    returning id
)
insert into automation_versions (automation_id, version, definition, created_at)
select w.id, 1, w.definition, clock_timestamp()
  from wanted w
  join added on added.id = w.id;
