-- Settings without which a crash of the server loses or breaks what was committed.
select name
  from pg_settings
 where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'
 order by name;
