-- Does the store answer, and is it ours?
select from receipts limit 1;
