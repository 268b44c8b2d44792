-- Instants are milliseconds since 1970 (UTC), dates are ISO texts, what has parts is JSON.
-- What must hold between columns is a CHECK, what must be single is a unique index.

create table meta (
    key text primary key,
    value text not null
);

-- Every fact that came in, as it came, in the order of recording. A refused one changed nothing.
create table facts (
    seq integer primary key,
    kind text not null check (kind in ('order', 'supply', 'receipt', 'shipment', 'label', 'cancel', 'refund')),
    id text,
    order_number text,
    sku text,
    at bigint not null,
    recorded_at bigint not null,
    source text not null,
    refused text,
    body text not null
);
create unique index facts_id on facts (kind, id) where id is not null and refused is null;
create index facts_order on facts (order_number, seq) where order_number is not null;
create index facts_sku on facts (sku, seq) where sku is not null;

create table orders (
    number text primary key,
    at bigint not null,
    placed_at bigint not null,
    recorded_at bigint not null,
    silent_before bigint,
    email text,
    name text,
    locale text,
    timezone text,
    country text,
    channel text,
    payment text,
    currency text,
    partial text check (partial in ('split', 'hold')),
    status text not null check (status in ('waiting', 'open', 'shipped', 'cancelled')),
    -- Counts what was written about the order, so that a plan made from older facts is not saved.
    revision bigint not null default 0,
    -- When the planner looks at it next; null: not until something happens.
    plan_at bigint,
    heard_at bigint,
    confirmed boolean not null default false,
    updated boolean not null default false,
    status_tried_on text,
    status_failures integer not null default 0,
    changes integer not null default 0,
    restocks integer not null default 0,
    settling_first bigint,
    settling_last bigint,
    check ((settling_first is null) = (settling_last is null))
);
create index orders_plan on orders (plan_at, number) where plan_at is not null;
create index orders_email on orders (email) where email is not null;

create table lines (
    order_number text not null references orders (number),
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
    primary key (order_number, id)
) without rowid;
-- The queue of a SKU, oldest order first.
create index lines_queue on lines (sku, placed_at, order_number, position)
    where open_units > 0 and kind <> 'in_stock';
create index lines_shipped on lines (sku, shipped) where shipped > 0 and kind <> 'in_stock';

create table supplies (
    sku text not null,
    supply text not null,
    at bigint not null,
    recorded_at bigint not null,
    quantity bigint check (quantity >= 0),
    eta_from text,
    eta_to text,
    state text not null check (state in ('planned', 'in_production', 'in_transit', 'received', 'cancelled')),
    supplier text,
    confirmed boolean not null,
    reason text not null default '{}',
    primary key (sku, supply),
    check ((eta_from is null) = (eta_to is null))
) without rowid;

create table receipts (
    id text primary key,
    sku text not null,
    supply text,
    quantity bigint not null check (quantity <> 0),
    at bigint not null
);
create index receipts_sku on receipts (sku);

-- SKUs whose queue or supply changed and has not been covered anew; first and last change.
create table dirty_skus (
    sku text primary key,
    first_at bigint not null,
    last_at bigint not null
) without rowid;

-- Shipments, cancellations and refunds; `told` once no notice owes them to the customer any more.
create table news (
    kind text not null check (kind in ('shipped', 'cancelled', 'refunded')),
    id text not null,
    order_number text not null references orders (number),
    at bigint not null,
    recorded_at bigint not null,
    body text not null,
    told boolean not null default false,
    primary key (order_number, kind, id)
) without rowid;
create index news_untold on news (order_number) where not told;

create table notices (
    id text primary key,
    order_number text not null references orders (number),
    kind text not null,
    occasion text not null,
    state text not null check (state in ('queued', 'sending', 'deferred', 'in_doubt', 'held',
        'accepted', 'failed', 'skipped', 'superseded', 'bounced')),
    email text not null,
    includes text not null,
    lines text not null,
    news text not null,
    planned_at bigint not null,
    useful_until bigint not null,
    replaces_status text,
    -- 1: goes at once, 2: routine news; the first are claimed before the second.
    urgency integer not null check (urgency in (1, 2)),
    -- The next try; null while it is on its way and once no try is left.
    next_try_at bigint,
    attempts integer not null default 0,
    -- The daemon that has it in hand, and when its body began to leave.
    owner text,
    body_begun_at bigint,
    -- A try of it ended in doubt: the server may have it.
    doubtful boolean not null default false,
    -- capture, redirect or live: what acceptance was worth.
    mode text check (mode in ('capture', 'redirect', 'live')),
    subject text,
    template_hash text,
    settled_at bigint,
    -- The server's last words, and why it was not mailed.
    reply text,
    reason text,
    by_occasion text,
    check ((state = 'sending') = (owner is not null)),
    check (next_try_at is null or state in ('queued', 'deferred', 'in_doubt')),
    check (next_try_at is not null or state not in ('queued', 'deferred')),
    check (body_begun_at is null or state = 'sending'),
    check (state <> 'accepted' or settled_at is not null)
);
create unique index notices_occasion on notices (order_number, occasion);
-- One notice per order is under way at a time.
create unique index notices_under_way on notices (order_number) where next_try_at is not null or state = 'sending';
-- In the order of claiming, so that a claim costs what it takes and not what waits.
create index notices_next on notices (urgency, next_try_at, planned_at, order_number) where next_try_at is not null;
-- Names that are used up while they may come again.
create index notices_used on notices (order_number) where state = 'superseded' or kind in ('overdue', 'confirmation');
create index notices_expiring on notices (useful_until) where next_try_at is not null;
create index notices_owner on notices (owner) where owner is not null;

-- The exact bytes that went out, compressed.
create table messages (
    notice_id text primary key references notices (id),
    bytes blob not null
);

-- Every try: stored before the first octet leaves, completed by the outcome.
create table attempts (
    notice_id text not null references notices (id),
    number integer not null,
    started_at bigint not null,
    ended_at bigint,
    phase text,
    outcome text,
    reply text,
    primary key (notice_id, number)
) without rowid;

-- What was considered and not mailed, and why.
create table decisions (
    order_number text not null references orders (number),
    occasion text not null,
    kind text not null,
    outcome text not null check (outcome in ('skipped', 'superseded')),
    reason text not null,
    by_occasion text,
    at bigint not null,
    primary key (order_number, occasion)
) without rowid;
