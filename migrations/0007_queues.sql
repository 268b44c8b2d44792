-- Counts the changes of a SKU's queue, so that places in it are worked out once and not for every mail.
create table queues (
    sku text primary key,
    revision bigint not null
) without rowid;
