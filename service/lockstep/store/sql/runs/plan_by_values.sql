-- Plan the statements of this transaction for the values that they are given: what is null asks for
-- nothing, and another index serves each of the others.
set local plan_cache_mode = force_custom_plan;
