-- The revision that every event from now on must be judged by.
select revision from catalog_revision;
