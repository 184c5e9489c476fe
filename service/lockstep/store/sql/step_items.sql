-- The lists of for_each loops, by step. $1 run id   $2 seqs of the live ones
select seq, items from run_steps where run_id = $1 and seq = any ($2::integer[]);
