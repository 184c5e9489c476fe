-- What has fired and is not yet taken up, with the count of wakes of the same moment.
-- :run_ids uuid[]
select r.id as run_id, r.wakes, w.id, w.cause, w.payload, w.warning
  from runs r
  left join waits w on w.run_id = r.id and w.state = 'fired'
 where r.id = any (:run_ids);
