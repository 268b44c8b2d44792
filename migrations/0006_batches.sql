-- The blast guard: one change that would mail very many at one time is held until a person releases it.
create table batches (
    id integer primary key,
    sku text not null,
    -- The supply or the receipt that moved the dates, and the day the goods were expected before and after.
    cause text not null,
    expected_before text,
    expected_after text,
    at bigint not null,
    -- counting: some of its orders are not planned yet.
    state text not null check (state in ('counting', 'held', 'released', 'dropped')),
    -- How many notices it came to.
    notices bigint not null default 0
);
create index batches_counting on batches (id) where state = 'counting';

alter table orders add column hold_batch bigint references batches (id);
-- The kind of notice that is held back; null while the change is settling.
alter table orders add column hold_kind text;
create index orders_hold on orders (hold_batch, hold_kind) where hold_batch is not null;
