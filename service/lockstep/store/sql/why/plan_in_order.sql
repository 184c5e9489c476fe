-- Plan the statements of this transaction so that the newest rows are read from an index as they are
-- wanted: all runs of an automation, to be sorted, are far more where it has more than others.
select set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true);
