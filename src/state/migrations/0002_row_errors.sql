-- Rows that a target refused, until it takes them. The key is JSON, and so is the row, where it is kept.
create table sync_row_errors (
    sync text not null,
    ends text not null,
    table_name text not null,
    key text not null,
    -- insert, update or delete
    change text not null,
    class text not null,
    message text not null,
    row text,
    -- Runs in which it failed, the first and the last of them.
    failures integer not null,
    first_execution_id text not null references sync_executions (id) on delete cascade,
    execution_id text not null references sync_executions (id) on delete cascade,
    primary key (sync, ends, table_name, key)
);
