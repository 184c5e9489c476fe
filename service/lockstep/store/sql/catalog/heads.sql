-- All automations by creation, with the revision that they show.
-- One statement, so both are of one snapshot.
select r.revision, a.id, a.name, a.status, a.version, a.position
  from catalog_revision r
  left join automations a on true
 order by a.position;
