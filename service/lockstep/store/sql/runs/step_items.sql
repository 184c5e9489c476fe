-- The lists of for_each loops, by step.
-- :run_id uuid
-- :seqs integer[]: seqs of the live ones
select seq, items from run_steps where run_id = :run_id and seq = any (:seqs);
