-- Executions with their reports, and what each table's newest change was when it was last brought in line.
create table sync_executions (
    id text primary key,
    sync text not null,
    status text not null,
    started_at text not null,
    finished_at text not null,
    report text not null
);

create index sync_executions_by_sync on sync_executions (sync, started_at);

create table sync_change_tracking (
    sync text not null,
    ends text not null,
    table_name text not null,
    -- The target and the columns that took part: what was seen of others is no use.
    shape text not null,
    newest text,
    execution_id text not null references sync_executions (id) on delete cascade,
    primary key (sync, ends, table_name)
);
