# Two commands on a fresh machine: `make demo`, `make test`. Needs: a Rust toolchain, a C compiler, GNU make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

CARGO ?= cargo
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
DATADIR ?= $(PREFIX)/share
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system
DESTDIR ?=

TARGET := $(or $(CARGO_TARGET_DIR),target)
LIBRARY := $(TARGET)/release/libout_auditship.so
BINARY := $(TARGET)/release/auditship
DEMO := $(TARGET)/release/auditship-demo
DRIVER := $(TARGET)/release/auditship-host

.PHONY: help
help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## The plugin and the binary, as shipped
	$(CARGO) build --release --locked -p out_auditship -p auditship --features auditship/cli

.PHONY: demo
demo: build ## Runs the main job on a sample audit log and says where the records lie
	$(CARGO) build --release --locked -p auditship-testkit
	$(DEMO) $(LIBRARY) $(BINARY) $(DRIVER)

.PHONY: test
test: ## Installs what the tests need and runs them all
	scripts/test-deps.sh
	$(CARGO) test --locked --workspace --exclude out_auditship
	$(CARGO) test --locked -p out_auditship -- --test-threads 1
	$(CARGO) test --locked --features bindgen --test bindings

.PHONY: soak
soak: ## The long tests at full length
	scripts/test-deps.sh
	AUDITSHIP_SOAK=1 $(CARGO) test --locked --workspace -- --nocapture soak
	$(CARGO) test --locked -p auditship --features aws-profiles --test profiles

.PHONY: bench
bench: ## Cost of ingest and of shipping against baselines in the same run, memory and opening with a backlog (15 GB of disk)
	$(CARGO) run --release --locked -p auditship-benches --bin ingest -- --check
	$(CARGO) run --release --locked -p auditship-benches --bin shipping -- --check
	$(CARGO) run --release --locked -p auditship-benches --bin clouds -- --check
	$(CARGO) run --release --locked -p auditship-benches --bin backlog -- drain 500MB
	$(CARGO) run --release --locked -p auditship-benches --bin backlog -- drain 5GB
	$(CARGO) run --release --locked -p auditship-benches --bin backlog -- open 10GB

.PHONY: fuzz-smoke
fuzz-smoke: ## Each fuzz target for 60 seconds
	scripts/fuzz-smoke.sh

.PHONY: lint
lint: ## rustfmt, clippy with warnings as errors, docs
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

# Installed by rename: a library that a running host has mapped keeps its old content under its old inode.
define install_file
	install -d "$(DESTDIR)$(dir $(2))"
	install -m $(3) $(1) "$(DESTDIR)$(2).new"
	mv -f "$(DESTDIR)$(2).new" "$(DESTDIR)$(2)"
endef

.PHONY: install
install: build ## Library, binary, man pages, completions, plugins file, example configuration, systemd unit (PREFIX, DESTDIR)
	$(call install_file,$(LIBRARY),$(LIBDIR)/fluent-bit/libout_auditship.so,0755)
	$(call install_file,$(BINARY),$(BINDIR)/auditship,0755)
	sed -e 's|@LIBDIR@|$(LIBDIR)|g' packaging/plugins.conf > $(TARGET)/plugins.conf
	$(call install_file,$(TARGET)/plugins.conf,$(SYSCONFDIR)/auditship/plugins.conf,0644)
	sed -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' packaging/auditship.service > $(TARGET)/auditship.service
	$(call install_file,$(TARGET)/auditship.service,$(UNITDIR)/auditship.service,0644)
	$(call install_file,examples/auditship.toml,$(SYSCONFDIR)/auditship/auditship.toml.example,0644)
	$(call install_file,fluent-bit.conf,$(SYSCONFDIR)/auditship/fluent-bit.conf.example,0644)
	$(BINARY) completions bash > $(TARGET)/auditship.bash
	$(call install_file,$(TARGET)/auditship.bash,$(DATADIR)/bash-completion/completions/auditship,0644)
	rm -rf $(TARGET)/man
	install -d $(TARGET)/man "$(DESTDIR)$(DATADIR)/man/man1/"
	$(BINARY) man --into $(TARGET)/man
	install -m 0644 $(TARGET)/man/*.1 "$(DESTDIR)$(DATADIR)/man/man1/"
