-- Damage, for test cases: the saved state of all runs is gone.
delete from run_frames;
