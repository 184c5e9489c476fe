-- What a claim leaves out of a run because it is large.
-- :id uuid
select r.trigger_payload, f.document
  from runs r
  left join run_frames f on f.run_id = r.id
 where r.id = :id;
