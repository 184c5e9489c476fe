-- The lists of the for_each loops of a run, by step.
-- $1 run id
select seq, items from run_steps where run_id = $1 and items is not null;
