-- What a connection to the mail server did with a notice, in the order of doing, until it is entered in notices, tries and
-- orders: its body began to leave, or the server accepted it. Few short rows, one behind the other: the commit that all
-- connections wait for writes a page or two of them instead of every page that an outcome touches.
create table ledger (
    seq integer primary key,
    notice_id text not null,
    what text not null check (what in ('begun', 'accepted')),
    at bigint not null,
    -- The server's words.
    reply text,
    check ((reply is not null) = (what = 'accepted'))
);
insert into ledger (notice_id, what, at) select id, 'begun', body_begun_at from notices where body_begun_at is not null;
-- The column stays, always null: without it the table would have to be written anew.
update notices set body_begun_at = null where body_begun_at is not null;
