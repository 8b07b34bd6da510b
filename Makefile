# The two commands are `make demo` and `make test`: on a fresh Debian 12 machine they install what they
# need (root or sudo), build and run. `make help` lists the rest.
PREFIX ?= /usr/local
DESTDIR ?=
export DESTDIR

BUILD := build
PROGRAM := $(BUILD)/flyball

.PHONY: all build demo test install bench e2e fresh clean help
.DEFAULT_GOAL := all

all: build

build:
	@tools/bootstrap build
	@./dev build

demo: build
	@$(PROGRAM) demo

test:
	@tools/bootstrap build test
	@./dev test

install: build
	@meson configure $(BUILD) --prefix=$(abspath $(PREFIX))
	@meson install -C $(BUILD)

bench:
	@tools/bootstrap build bench
	@./dev bench

e2e: build
	@tools/bootstrap e2e
	@tests/e2e/run

fresh:
	@tools/bootstrap fresh
	@tools/fresh

clean:
	rm -rf build build-*/

help:
	@echo 'make            build/flyball'
	@echo 'make demo       build it and watch it correct a simulated shop'
	@echo 'make test       build it and run its tests'
	@echo 'make install    DESTDIR= PREFIX=/usr/local'
	@echo 'make bench      measure it beside its peers'
	@echo 'make e2e        run it on real OpenTelemetry SDKs and a real Kubernetes API server'
	@echo 'make fresh      try make demo and make test in a new Debian 12 root (as root)'
	@echo 'make clean      remove what was built'
	@echo './dev           the developers'"'"' commands'
