-- No run can be launched from here on: who launches holds the row `for key share`. $1 id
delete from automations where id = $1;
