-- What rows were before an execution changed them: images of one batch each, in the order in which they were made.
create table sync_undo (
    execution_id text not null,
    entry integer not null,
    table_name text not null,
    -- The columns and how they are compared: images of others are no use.
    shape text not null,
    bytes integer not null,
    images blob not null,
    primary key (execution_id, entry)
);

-- The executions that keep images, also those that never came to their end.
create table sync_undo_executions (
    execution_id text primary key,
    sync text not null,
    ends text not null,
    -- Milliseconds since 1970.
    began integer not null,
    bytes integer not null,
    -- Why nothing is kept of it any more.
    gone text
);

create index sync_undo_executions_by_sync on sync_undo_executions (sync, ends, began);
