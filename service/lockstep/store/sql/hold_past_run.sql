-- Keep a run that has ended from being forgotten until the commit. $1 id
select id from runs where id = $1 for key share;
