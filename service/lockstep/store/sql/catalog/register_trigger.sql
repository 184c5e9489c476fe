-- Store a type of trigger as its owner describes it, with a revision of its own, so that every
-- replica reads it before the next event. No row: it belongs to another owner.
-- Locks: the revision, then the type.
-- :id text, :owner text, :document bytea
with raised as (
    update catalog_revision set revision = revision + 1
     where not exists (select from trigger_types where id = :id and owner <> :owner)
    returning revision
)
insert into trigger_types (id, owner, document, revision)
select :id, :owner, :document, revision from raised
    on conflict (id) do update
   set document = excluded.document, revision = excluded.revision
 where trigger_types.owner = excluded.owner
returning revision;
