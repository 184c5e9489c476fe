-- Damage, for test cases: sleeping runs look as if a worker that nobody knows executed them.
update runs set status = 'running', owner = gen_random_uuid() where status = 'waiting';
