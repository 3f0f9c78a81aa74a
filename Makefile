# Two commands on a fresh machine: `make demo`, `make test`. Needs: Rust 1.95 or later (rustup), a C compiler, GNU make.
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
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml -- --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

# Installed by rename: a library that a running host has mapped keeps its old content under its old inode.
define install_file
	install -d "$(DESTDIR)$(dir $(2))"
	install -m $(3) "$(1)" "$(DESTDIR)$(2).new"
	mv -f "$(DESTDIR)$(2).new" "$(DESTDIR)$(2)"
endef

# What the command $(1) prints becomes the file $(2). Nothing is written beside the sources: root would leave its files there.
define install_output
	install -d "$(DESTDIR)$(dir $(2))"
	$(1) > "$(DESTDIR)$(2).new"
	chmod 0644 "$(DESTDIR)$(2).new"
	mv -f "$(DESTDIR)$(2).new" "$(DESTDIR)$(2)"
endef

# The administrator's once it is there: kept, as packages do.
PLUGINS_FILE := $(DESTDIR)$(SYSCONFDIR)/auditship/plugins.conf

# Builds nothing, so that root needs no toolchain: `make build && sudo make install`.
.PHONY: install
install: ## Library, binary, man pages, completions, plugins file, example configuration, systemd unit, after `make build` (PREFIX, DESTDIR)
	@for artefact in "$(LIBRARY)" "$(BINARY)"; do \
		[ -f "$$artefact" ] || { echo "$$artefact is missing: run \`make build\` first" >&2; exit 1; }; \
	done
	$(call install_file,$(LIBRARY),$(LIBDIR)/fluent-bit/libout_auditship.so,0755)
	$(call install_file,$(BINARY),$(BINDIR)/auditship,0755)
	install -d "$(dir $(PLUGINS_FILE))"
	sed -e 's|@LIBDIR@|$(LIBDIR)|g' packaging/plugins.conf > "$(PLUGINS_FILE).new"
	chmod 0644 "$(PLUGINS_FILE).new"
	@if [ ! -e "$(PLUGINS_FILE)" ]; then mv "$(PLUGINS_FILE).new" "$(PLUGINS_FILE)"; exit; fi; \
	cmp -s "$(PLUGINS_FILE).new" "$(PLUGINS_FILE)" \
		|| echo "kept $(PLUGINS_FILE) as it is; it needs the line: Path $(LIBDIR)/fluent-bit/libout_auditship.so"; \
	rm "$(PLUGINS_FILE).new"
	$(call install_output,sed -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' packaging/auditship.service,$(UNITDIR)/auditship.service)
	$(call install_file,examples/auditship.toml,$(SYSCONFDIR)/auditship/auditship.toml.example,0644)
	$(call install_file,fluent-bit.conf,$(SYSCONFDIR)/auditship/fluent-bit.conf.example,0644)
	$(call install_output,"$(BINARY)" completions bash,$(DATADIR)/bash-completion/completions/auditship)
	install -d "$(DESTDIR)$(DATADIR)/man/man1/"
	"$(BINARY)" man --into "$(DESTDIR)$(DATADIR)/man/man1/"
	chmod 0644 "$(DESTDIR)$(DATADIR)/man/man1/"auditship*.1
