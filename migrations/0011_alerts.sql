-- What goes to ops by mail: the digest, one a civil day, and alerts; each written once and tried until it is settled.
create table ops_mails (
    id text primary key,
    -- The civil day of the shop that a digest is for; null for an alert.
    day text unique,
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
insert into ops_mails (id, day, at, subject, body, mode, state, attempts, next_try_at, settled_at, reply)
    select 'digest-' || day, day, at, subject, body, mode, state, attempts, next_try_at, settled_at, reply
    from digests;
drop table digests;
create index ops_mails_open on ops_mails (at) where settled_at is null;

-- What stops the sending, of all mail or of some, from its beginning to its end.
create table incidents (
    id integer primary key,
    -- relay: the mail server cannot be used; else the scope of a pause that shipby set.
    what text not null check (what in ('relay', 'all', 'domain', 'kind')),
    -- The domain or the kind; else empty.
    subject text not null,
    -- The server's words, or ours.
    words text not null,
    began_at bigint not null,
    ended_at bigint,
    -- What ops were mailed of it.
    told text not null default 'nothing' check (told in ('nothing', 'beginning', 'all'))
);
create unique index incidents_open on incidents (what, subject) where ended_at is null;
create index incidents_untold on incidents (began_at) where told <> 'all';
