-- Give a run the steps of the one that it goes on from: what is over stays as it is, lists of
-- for_each loops too; the containers that it goes on in are running again. What its waits have taken
-- they have taken.
-- :run_id uuid: the new run
-- :past_id uuid: the old run
-- :reopened integer[]: seqs of those containers
-- :dropped integer[]: seqs of steps that are begun anew: they get rows of their own
with taken as (
    insert into taken_events (run_id, place, time, sequence)
    select :run_id, place, time, sequence from taken_events where run_id = :past_id
)
insert into run_steps (
    run_id, seq, action_path, action_id, action_kind, provider_action_id, status, attempts,
    error_message, result, items, started_at, finished_at, io
)
select :run_id, seq, action_path, action_id, action_kind, provider_action_id,
       case when is_live then 'running' else status end, attempts,
       case when not is_live then error_message end, result, items, started_at,
       case when not is_live then finished_at end, io
  from (select s.*, s.seq = any (:reopened) as is_live
          from run_steps s
         where s.run_id = :past_id and s.seq <> all (:dropped)) as kept;
