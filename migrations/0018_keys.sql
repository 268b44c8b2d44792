-- A line has a key of our own: history and notices name it by that for good. `id` is what the shop calls it.
create table lines_with_keys (
    order_number text not null references orders (number),
    key text not null,
    id text not null,
    position integer not null,
    sku text not null,
    placed_at bigint not null,
    title text not null,
    quantity bigint not null check (quantity >= 0),
    cancelled bigint not null default 0 check (cancelled >= 0),
    shipped bigint not null default 0 check (shipped >= 0),
    open_units bigint not null check (open_units = max(quantity - cancelled - shipped, 0)),
    unit_price text,
    kind text not null check (kind in ('backorder', 'preorder', 'in_stock')),
    promised text,
    cover text not null default '{"from":"nothing"}',
    ever_covered boolean not null default false,
    reason text not null default '{}',
    told text,
    tried text,
    overdue_for text,
    announced boolean not null default false,
    primary key (order_number, key)
) without rowid;
insert into lines_with_keys (order_number, key, id, position, sku, placed_at, title, quantity, cancelled, shipped,
        open_units, unit_price, kind, promised, cover, ever_covered, reason, told, tried, overdue_for, announced)
    select order_number, id, id, position, sku, placed_at, title, quantity, cancelled, shipped,
        open_units, unit_price, kind, promised, cover, ever_covered, reason, told, tried, overdue_for, announced
    from lines;
drop table lines;
alter table lines_with_keys rename to lines;
create index lines_queue on lines (sku, placed_at, order_number, position)
    where open_units > 0 and kind <> 'in_stock';
create index lines_told on lines (told)
    where told is not null and open_units > 0 and kind <> 'in_stock';
