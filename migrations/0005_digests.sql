-- The daily digest: one a civil day of the shop, written once and tried until the day's end.
create table digests (
    day text primary key,
    at bigint not null,
    subject text not null,
    body text not null,
    -- capture, redirect or live: what acceptance was worth.
    mode text not null check (mode in ('capture', 'redirect', 'live')),
    -- `sending`: its body began to leave.
    state text not null check (state in ('queued', 'sending', 'deferred', 'accepted', 'failed', 'in_doubt')),
    attempts integer not null default 0,
    next_try_at bigint,
    settled_at bigint,
    -- The server's last words.
    reply text,
    check ((next_try_at is not null) = (state in ('queued', 'deferred'))),
    check ((settled_at is not null) = (state in ('accepted', 'failed', 'in_doubt')))
);

-- Since when a card is authorized.
alter table orders add column authorized_at bigint;
update orders set authorized_at = placed_at where payment = 'authorized';

-- What the digest lists, so that it costs that and not what is open.
create index orders_authorized on orders (authorized_at)
    where authorized_at is not null and status in ('waiting', 'open');
create index orders_unreachable on orders (number)
    where status = 'waiting' and (email is null or status_failures >= 3);
create index lines_told on lines (told)
    where told is not null and open_units > 0 and kind <> 'in_stock';
create index notices_troubled on notices (order_number, state, settled_at)
    where state in ('held', 'failed', 'in_doubt') and next_try_at is null;
