-- Units of a SKU that have left from waiting lines, counted when they leave: a line may be of another SKU afterwards, or of
-- another kind, and what left is not there again.
alter table queues add column shipped bigint not null default 0;
insert into queues (sku, revision, shipped)
    select sku, 1, sum(shipped) from lines where shipped > 0 and kind <> 'in_stock' group by sku
    on conflict (sku) do update set shipped = excluded.shipped;
drop index lines_shipped;
