-- Syncs that run by their schedules no more until somebody resumes them, or gives them another schedule.
create table sync_pauses (
    sync text primary key not null,
    since text not null,
    -- Cycles that failed in a row; 0 where somebody paused it.
    failures integer not null,
    reason text not null
);
