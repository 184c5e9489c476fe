-- 0012_receipts: where in its stream an event stands whose receipt is kept.
-- Apply: before the code that writes it. Lock: access exclusive on receipts, no rewrite,
-- milliseconds. Older code: writes none of it, and its receipts go by age alone, as before.
-- Transaction: yes.
alter table receipts add column stream text;
alter table receipts add column sequence bigint;
