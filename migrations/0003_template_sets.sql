-- The last set of templates that passed its check: what goes on working while an edit is broken.
create table template_sets (
    hash text primary key,
    kept_at bigint not null,
    -- Path below the folder to text, as JSON, compressed.
    files blob not null
);
