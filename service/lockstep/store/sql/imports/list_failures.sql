-- Failures that nobody has acknowledged, by creation: at most so many, and so many bytes, but one.
-- :limit bigint, :offset bigint, :page_bytes bigint
select *
  from (
    select f.*,
           row_number() over (order by f.position) as place,
           sum(
               length(f.config)
               + octet_length(f.detail || coalesce(f.name, '') || coalesce(f.provider, ''))
           ) over (order by f.position) as bytes
      from (
        select * from migration_failures
         where acknowledged_at is null
         order by position
         limit :limit offset :offset
      ) f
  ) listed
 where place = 1 or bytes <= :page_bytes
 order by position;
