-- Insert many automations at once, enabled, in their first version.
-- $1 ids   $2 names   $3 definitions
with added as (
    insert into automations (id, name, status, version, created_at, updated_at)
    select n.id, n.name, 'enabled', 1, clock_timestamp(), clock_timestamp()
      from unnest($1::text[], $2::text[]) with ordinality as n (id, name, place)
     order by n.place
    returning id
)
insert into automation_versions (automation_id, version, definition, created_at)
select n.id, 1, n.definition, clock_timestamp()
  from unnest($1::text[], $3::text[]) as n (id, definition)
  join added on added.id = n.id;
