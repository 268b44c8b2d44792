-- When an order stopped waiting with an address to write to, and when it began to again; it begins with its intake. Nobody
-- is silent towards whom nothing is owed, or whom they cannot reach.
create table waits (
    order_number text not null references orders (number),
    at bigint not null,
    begins integer not null check (begins in (0, 1))
);
create index waits_order on waits (order_number);
insert into waits (order_number, at, begins)
    select number, coalesce((select max(recorded_at) from news where order_number = number
        and kind in ('shipped', 'cancelled')), recorded_at), 0
    from orders where status <> 'waiting' or email is null;
