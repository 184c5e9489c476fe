-- Tables that are not there, or that this role may not read and write.
-- :tables text[]
select name
  from unnest(:tables) as t (name)
 where to_regclass(name) is null
    or not (has_table_privilege(to_regclass(name), 'select')
       and has_table_privilege(to_regclass(name), 'insert')
       and has_table_privilege(to_regclass(name), 'update')
       and has_table_privilege(to_regclass(name), 'delete'))
 order by name;
