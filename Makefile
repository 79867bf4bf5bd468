# make setup   what the tests need: a PostgreSQL server and Prometheus, if none is installed, and tools that judge the API and what is deployed
# make test    all tests, with a throwaway PostgreSQL server beside them; THREADS=2 says how many at a time
# make test-api   only those that lay the API before other tools
# make check   format, lints, documentation, tests: what has to pass before a change is handed in
# make soak    kills rowsync at 200 random moments for each pair of engines; KILLS=50, SEED=17 and PAIR=between_files choose
# make soak-model  random edits, kills and decisions between 50 runs of each strategy, against a model; ROUNDS=20, SEED=17
# make without  takes remedies out of the code one by one, and sees that their tests fail; REMEDY="silent" chooses
# make bench   the benches against their floors; ARGS="--only find_100_pg --runs 5" chooses
# make bench-compare   comparing, beside floors and other tools; ARGS="--rows 100000 --only postgres" chooses
# make bench-service   what callers cost a sync of `rowsync serve`, and it them; ARGS="--rows 100000 --only sqlite" chooses
# make soak-service    small cycles for MINUTES=60, and whether the service's memory grows; ARGS="--only sqlite" chooses
# make bench-strategies   writers with triggers, runs that follow their log, merges; ARGS="--rows 100000 --only sqlite" chooses
# make bench-recovery     what a run costs after kill -9 or lost connections; ARGS="--rows 100000 --only sqlite" chooses
# make setup-bench     installs the other tools

# Most tests wait for servers and processes, and not for a core.
THREADS ?= 4
KILLS ?= 200
MINUTES ?= 60
ROUNDS ?= 50

.PHONY: setup test test-api soak soak-model without check format lint doc bench bench-compare bench-service soak-service bench-strategies bench-recovery setup-bench

setup:
	tests/install-postgres.sh
	tests/install-api-tools.sh
	tests/install-deploy-tools.sh
	tests/install-prometheus.sh

test: setup
	RUST_TEST_THREADS=$(THREADS) tests/with-postgres.sh cargo test --workspace --no-fail-fast

test-api: setup
	tests/with-postgres.sh cargo test -p rowsync --test all -- api:: intruders::

# The seed of each pair is printed, and repeats its moments.
soak: setup
	ROWSYNC_KILLS=$(KILLS) $(if $(SEED),ROWSYNC_SEED=$(SEED)) tests/with-postgres.sh cargo test -p rowsync --test all \
		killed_at_random_moments_$(PAIR) -- --nocapture

soak-model: setup
	ROWSYNC_ROUNDS=$(ROUNDS) $(if $(SEED),ROWSYNC_SEED=$(SEED)) tests/with-postgres.sh cargo test -p rowsync --test all \
		_model:: -- --nocapture

without: setup
	tests/with-postgres.sh tests/without.sh "$(REMEDY)"

# In this order also under `make -j`: the cheap answers come first.
check:
	$(MAKE) format
	$(MAKE) lint
	$(MAKE) doc
	$(MAKE) test

format:
	cargo fmt --all --check

lint:
	cargo clippy --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Built before the server starts, so that nothing compiles beside a measurement.
bench: setup
	cargo build --release
	cargo bench --bench first_sync --no-run
	tests/with-postgres.sh cargo bench --bench first_sync -- $(ARGS)

# Two servers, one inside the other's command.
bench-compare: setup
	cargo build --release
	cargo bench --bench compare --no-run
	tests/with-postgres.sh tests/with-postgres.sh --as ROWSYNC_BENCH_SECOND cargo bench --bench compare -- $(ARGS)

bench-service: setup
	cargo build --release
	cargo bench --bench service --no-run
	tests/with-postgres.sh cargo bench --bench service -- $(ARGS)

soak-service: setup
	cargo build --release
	cargo bench --bench service --no-run
	tests/with-postgres.sh cargo bench --bench service -- --soak $(MINUTES) $(ARGS)

bench-strategies: setup
	cargo build --release
	cargo bench --bench strategies --no-run
	tests/with-postgres.sh cargo bench --bench strategies -- $(ARGS)

setup-bench: setup
	benches/install-peers.sh
