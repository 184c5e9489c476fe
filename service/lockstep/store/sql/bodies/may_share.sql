-- Whether each worker that may take up a run reads shared bodies: of an older version none does.
select not exists (select from workers where not reads_bodies);
