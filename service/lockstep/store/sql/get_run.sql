-- $1 id
select * from runs where id = $1;
