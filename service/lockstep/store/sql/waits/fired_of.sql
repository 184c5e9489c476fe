-- What has fired and is not yet taken up, with the count of wakes of the same moment. Of as many of
-- the first runs, by id, as have 4 MiB of payloads, or of one.
-- :run_ids uuid[]
select run_id, epoch, wakes, id, cause, payload, warning
  from (
       select r.id as run_id, r.epoch, r.wakes, w.id, w.cause, w.payload, w.warning,
              dense_rank() over in_turn as place,
              sum(coalesce(octet_length(w.payload), 0)) over in_turn as bytes
         from runs r
         left join waits w on w.run_id = r.id and w.state = 'fired'
        where r.id = any (:run_ids)
       window in_turn as (order by r.id)
       ) as found
 where bytes <= 4194304 or place = 1
 order by run_id;
