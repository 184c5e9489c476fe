-- Store a type of trigger as its owner describes it, with a revision of its own, so that every replica
-- reads it before the next event. No row: it belongs to another owner.
-- Locks: the revision, then the type. $1 id  $2 owner  $3 document
with raised as (
    update catalog_revision set revision = revision + 1
     where not exists (select from trigger_types where id = $1 and owner <> $2)
    returning revision
)
insert into trigger_types (id, owner, document, revision)
select $1, $2, $3, revision from raised
    on conflict (id) do update
   set document = excluded.document, revision = excluded.revision
 where trigger_types.owner = excluded.owner
returning revision;
