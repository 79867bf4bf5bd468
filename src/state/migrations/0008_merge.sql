-- What both sides of a table that is merged agreed on last, in ranges of keys that leave no gap.
create table sync_memory (
    sync text not null,
    ends text not null,
    table_name text not null,
    block integer not null,
    -- Which key the ranges are of, and which columns the rows: what was seen of others cannot be compared.
    key_shape integer not null,
    shape integer not null,
    -- The keys between which it lies; none at the ends of the table.
    after_key blob not null,
    through_key blob not null,
    remembered integer not null,
    rows_seen blob not null,
    -- Of both sides, when they were equal last: rows and sum; none where that is not known.
    digest blob not null,
    primary key (sync, ends, table_name, block)
);

-- Rows that both sides changed and a person has to decide about. Those that are decided stay, for whoever asks what became of them.
create table sync_conflicts (
    id integer primary key,
    sync text not null,
    ends text not null,
    table_name text not null,
    key blob not null,
    key_json text not null,
    -- both_changed, both_inserted, source_deleted or target_deleted
    kind text not null,
    -- Names of the columns that both changed, where those are known.
    columns text not null,
    -- As they were shown; none where a side deleted the row. The imprints tell whether they are still so.
    source_row text,
    target_row text,
    source_imprint blob not null,
    target_imprint blob not null,
    -- waiting, resolved, or gone: the sides came to be equal without us
    status text not null,
    -- What it was resolved by: source, target or row; and what was written then, none where the row was deleted.
    resolution text,
    written_row text,
    found_at text not null,
    changed_at text not null,
    first_execution_id text not null,
    execution_id text not null
);

create unique index sync_conflicts_waiting on sync_conflicts (sync, ends, table_name, key) where status = 'waiting';
