#!/usr/bin/env bash
# Takes one remedy after the other out of the code, and sees that the test of it fails then:
#
#     tests/with-postgres.sh tests/without.sh [part of a name]
#
# Works on the files where they are, so it wants them without changes, and leaves them so. A remedy whose test passes without
# it, or whose code does not read any more as this file says, ends it with 1.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! git diff --quiet; then
    echo "$0: the tree has changes; commit or stash them" >&2
    exit 2
fi
wanted=${1:-}
told=$(mktemp)
taken_out=
faults=0
tried=0

put_back() {
    [ -z "$taken_out" ] || git checkout -q -- "$taken_out"
    taken_out=
}
trap 'put_back; rm -f "$told"' EXIT

# without NAME FILE PERL PACKAGE TEST
without() {
    local name=$1 file=$2 change=$3 package=$4 test=$5
    case $name in *"$wanted"*) ;; *) return 0 ;; esac
    tried=$((tried + 1))
    taken_out=$file
    perl -0pi -e "$change" "$file"
    if git diff --quiet; then
        echo "GONE   $name: $file does not read so any more"
        faults=1
        return 0
    fi
    cargo test -q -p "$package" --test all -- --exact "$test" >"$told" 2>&1 || true
    put_back
    # A build that fails shows nothing, and neither does a test that is not there.
    if grep -q "^test result: FAILED" "$told"; then
        echo "fails  without $name: $test"
    else
        echo "PASSES without $name: $test"
        tail -n 20 "$told"
        faults=1
    fi
}

without "opening lost connections again" engine/src/recovery.rs 's/(    Unreachable, .*?): Reopen,/$1: None,/' \
    rowsync connection::a_connection_cut_in_the_midst_of_a_copy_is_opened_again
without "waiting for a server that recovers" stores/src/postgres/classify.rs 's/"57000" => Kind::Busy/"57000" | "57P03" => Kind::Busy/' \
    rowsync full_log::a_server_without_room_for_its_log_is_told_and_the_rest_comes_once_it_has_some
without "giving up a silent connection" stores/src/postgres/connection.rs 's/const LATE_MAX: Duration = Duration::from_secs\(10\)/const LATE_MAX: Duration = Duration::from_secs(100)/; s/const LATE_MIN: Duration = Duration::from_millis\(500\)/const LATE_MIN: Duration = Duration::from_secs(90)/' \
    rowsync connection::a_connection_that_falls_silent_is_given_up_and_opened_again
without "remembering a commit that got no answer" actors/src/writer.rs 's/self\.ledger\.doubt\(Doubt \{ applied, witness \}\);/drop((applied, witness));/' \
    rowsync connection::a_batch_whose_commit_got_no_answer_is_neither_written_nor_counted_twice
without "putting a row aside" engine/src/recovery.rs 's/(    Constraint, .*?): IsolateRow,/$1: None,/' \
    rowsync rejects::one_bad_row_of_five_thousand_costs_nobody_but_itself
without "new actors after a panic" engine/src/recovery.rs 's/(    Panic, .*?): Restart,/$1: None,/' \
    rowsync-actors recovery::an_actor_that_panics_in_the_midst_of_its_work_is_replaced
without "a full compare where counts stay unequal" actors/src/table/settle.rs 's/self\.job\.options\.fallback_full_compare/false \&\& self.job.options.fallback_full_compare/' \
    rowsync-actors decisions::counts_that_stay_unequal_lead_to_a_full_compare
without "the second signal" src/shutdown.rs 's/std::process::exit\(Exit::Interrupted as i32\);/std::future::pending::<()>().await;/' \
    rowsync interrupts::a_second_interrupt_means_now
without "asking for leave" src/lease.rs 's/if self\.has_enough_left\(\)/if self.has_enough_left() || true/' \
    rowsync leases::a_process_that_slept_too_long_is_replaced_and_writes_nothing_when_it_wakes
without "looking whether a row is as the run left it" engine/src/image.rs 's/if !self\.afters\.contains\(&found\) \{/if false \&\& !self.afters.contains(\&found) {/' \
    rowsync undo::a_row_that_somebody_changed_since_is_a_conflict_and_stays
without "refusing deletes that take children along" stores/src/postgres/write.rs 's/        self\.refuse_orphans\(&sql, keys\)\.await\?;\n//' \
    rowsync traps::a_delete_on_a_server_never_takes_children_along_that_the_plan_does_not_name
without "parking unique values" stores/src/postgres/park.rs 's/Ok\(\(!parked\.is_empty\(\)\)\.then/Ok((false \&\& !parked.is_empty()).then/' \
    rowsync traps::unique_values_that_rows_hand_to_each_other_end_where_they_belong
without "moving sequences" stores/src/postgres/mod.rs 's/        sequence::advance\(&mut lease, table\)\.await\.map_err\(\|e\| e\.at\(table\)\)\?;\n//' \
    rowsync traps::an_application_that_adds_a_row_after_a_sync_gets_a_free_number
without "noting that foreign keys are owed" stores/src/postgres/create.rs 's/comment\.map_or\(/comment.filter(|_| false).map_or(/' \
    rowsync traps::foreign_keys_of_tables_that_an_ended_run_made_are_added_by_the_next_one

if [ "$tried" -eq 0 ]; then
    echo "$0: no remedy is called so: $wanted" >&2
    exit 2
fi
exit "$faults"
