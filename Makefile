# What one can do here. Nothing is needed but git, a C compiler, Rust, Python 3 and make; what is
# installed besides (cargo-nextest, cargo-deny, promtool, valgrind) is used.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

export CARGO_TARGET_DIR ?= $(CURDIR)/target
# Of the long tests, which; without it, all.
LONG ?=
# Seconds until the demo ends by itself; without it, it runs until Ctrl-C.
DEMO_SECONDS ?=
# One profile for everything that `make test` runs, so that nothing is built twice.
TEST_BINARY = $(CARGO_TARGET_DIR)/debug/onscene
CHECKS = $(wildcard tests/*/check.py)

.PHONY: help demo build test test-rust test-checks long check format-check lint deny tidy format bench

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## Run everything here, with simulated customers (DEMO_SECONDS=20 ends it by itself)
	@$(CARGO_TARGET_DIR)/release/onscene demo $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS))

build: ## Build the release binary
	@echo 'Building the release binary; the first time takes some minutes.'
	@cargo build --release --locked --bin onscene

test: test-rust test-checks ## Run all tests
	@echo 'All tests passed.'

test-rust:
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --locked; \
	else \
		cargo test --locked --lib --bins --tests; \
	fi

# Each `tests/<name>/check.py` compares the binary that the tests were run with to something made
# without it; it exits with 0 when they agree.
test-checks:
	@for check in $(CHECKS); do \
		echo "Running $$check"; \
		python3 "$$check" --binary "$(TEST_BINARY)"; \
	done

# What it runs stands in tests/long.txt, a line each.
long: ## Run the long tests with their full counts (LONG=zombies runs those that are called so)
	@tests/long.sh $(LONG)

check: format-check lint deny tidy ## Check formatting, lints, dependencies and the house rules

format-check:
	@cargo fmt --check

lint:
	@cargo clippy --locked --all-targets -- -D warnings

# Advisories need the advisory database, which is fetched: without a network only the rest is checked.
deny:
	@if ! cargo deny --version >/dev/null 2>&1; then \
		echo 'SKIPPED: cargo-deny is not installed, so licences, bans and sources of the dependencies'; \
		echo '         were NOT checked. To check them: cargo install cargo-deny --locked'; \
	else \
		cargo deny --log-level error check bans licenses sources; \
		if cargo deny --log-level error fetch db >/dev/null 2>&1; then \
			cargo deny --log-level error check --disable-fetch advisories; \
		else \
			echo 'SKIPPED: the advisory database is out of reach, so advisories were NOT checked.'; \
		fi; \
	fi

tidy: ## Check the house rules alone (functions, files, imports, unwraps)
	@cargo test --locked --test it tidy::

format: ## Format the code
	@cargo fmt

bench: ## Measure against the anchors; prints ratios, asserts no time
	@cargo bench --locked --bench step --bench memory --bench restart --bench echo
