# Two commands for a fresh machine: `make demo` and `make test`. Both install what is missing (see scripts/install-missing) and share
# one build with `make verify`: the dev profile, in which RocksDB's C++ is compiled once.

CARGO ?= cargo
DEMO  ?= --orders 20 --exit
SEEDS ?= 10000

.PHONY: help demo test verify fix build release-build image deb package-test release compose-test bench bench-system bench-schedule simulate chaos fleet power page api-test monitoring mutants missing bench-archive

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: build ## Run a kitchen of three replicas on this machine; DEMO="--orders 5 --kill-leader-every 5 --exit"
	$(CARGO) run --quiet -- demo $(DEMO)

test: missing ## Run all tests
	@scripts/say-what-is-built
	BRIGADE_NEEDS_MOSQUITTO=1 BRIGADE_NEEDS_POSTGRES=1 $(CARGO) test

chaos: missing ## Break a kitchen at random: MINUTES=10 SEED=7, or KILLS=200 for kills of the leader alone
	@scripts/say-what-is-built
	BRIGADE_NEEDS_MOSQUITTO=1 CHAOS_MINUTES=$(MINUTES) CHAOS_SEED=$(SEED) CHAOS_KILLS=$(KILLS) \
		$(CARGO) test --test chaos random -- --ignored --nocapture

fleet: missing ## Three kitchens behind a backend, all of it killed now and then: ORDERS=500 SEED=7 POLLED=true
	@scripts/say-what-is-built
	FLEET_ORDERS=$(ORDERS) FLEET_SEED=$(SEED) FLEET_POLLED=$(POLLED) $(CARGO) test --test fleet -- --ignored --nocapture

power: missing ## Cut the power of kitchens under load; ROUNDS=100 SEED=7
	POWER_ROUNDS=$(or $(ROUNDS),100) POWER_SEED=$(or $(SEED),$(shell date +%s)) $(CARGO) test --test power -- --nocapture every_acknowledged_order

page: build ## The pages in a Chromium: a leader killed, a wall, a person who takes over; screenshots in target/page
	@scripts/install-missing page
	python3 tests/page/run.py $(or $(CARGO_TARGET_DIR),target)/debug/brigade target/page

conform: missing ## Every rule of the device protocol: devices that keep all of them, and 87 that break one each
	BRIGADE_NEEDS_MOSQUITTO=1 $(CARGO) test --test conform -- --include-ignored --nocapture

monitoring: missing ## Metrics, alerts and dashboard, checked with Prometheus' own tool
	scripts/with-promtool $(CARGO) test --test monitoring

api-test: build ## Schemathesis against the kitchen's and the backend's API, as they describe themselves: SECONDS=120 SEED=7
	API_SECONDS=$(SECONDS) API_SEED=$(SEED) scripts/api-test

verify: missing ## Check format and lints; writes nothing
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- --deny warnings

fix: ## Mend format and lints where that can be done by itself
	$(CARGO) clippy --all-targets --fix --allow-dirty --allow-staged
	$(CARGO) fmt

build: missing ## Build the program
	@scripts/say-what-is-built
	$(CARGO) build

release-build: missing ## Build the program as it is handed out
	@scripts/say-what-is-built
	$(CARGO) build --release --locked

image: release-build ## The image brigade:latest around that program
	scripts/image brigade:latest

deb: release-build ## The Debian package, in target/release-artifacts
	scripts/deb $(or $(CARGO_TARGET_DIR),target)/release-artifacts

package-test: deb ## The Debian package in a Debian of its own: installed, run, removed; needs root
	python3 tests/package/run.py $$(ls $(or $(CARGO_TARGET_DIR),target)/release-artifacts/brigade_*.deb) $(or $(CARGO_TARGET_DIR),target)/package

release: release-build ## Tarball, Debian package, image, SBOM and checksums, in target/release-artifacts
	scripts/release $(or $(CARGO_TARGET_DIR),target)/release-artifacts

compose-test: release-build ## docker-compose.yml, run and broken: needs root where no Docker Engine runs
	python3 tests/compose/run.py $(or $(CARGO_TARGET_DIR),target)/release/brigade $(or $(CARGO_TARGET_DIR),target)/compose $(PROFILES)

bench: missing ## Measure: commands applied per second, and the schedule beside its limit (see bench-schedule). The whole system: bench-system
	$(CARGO) bench

bench-system: release-build ## Measure orders, instructions and failovers beside disk, network and etcd, NATS, RabbitMQ (docs/PERFORMANCE.md): TRIALS=50
	$(or $(CARGO_TARGET_DIR),target)/release/brigade bench --trials $(or $(TRIALS),10) --svg $(or $(CARGO_TARGET_DIR),target)/plots

bench-schedule: missing ## The schedule on the benchmark set: burnt pizzas and time beside the limit, cost of a pass; ONLY=pass
	$(CARGO) bench --bench schedule -- $(ONLY)

bench-archive: missing ## Restart, replacement and copies of a replica with 1,000,000 archived orders: minutes, and 15 GB below FIGURES_DIR
	$(CARGO) test --lib a_million_archived_orders -- --ignored --nocapture

simulate: missing ## The kitchen in virtual time from seeds: SEEDS=10000 (and FROM=0); SEED=17 shows one run
	@scripts/say-what-is-built
	SEEDS=$(SEEDS) $(CARGO) test --quiet --test simulation -- --nocapture whatever

mutants: missing ## Programs with a deliberate defect each, and which test catches them
	@scripts/mutants

missing:
	@scripts/install-missing
