# Weir's commands. Each installs what it needs first (bazel/setup), which is quick when nothing is
# missing, and works on a bare Debian 12 as root.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build run test test-asan test-ubsan test-tsan test-browser bench bench-xds fmt tidy fuzz filter clean

FUZZ_SECONDS ?= 60

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup:  ## install and fetch everything that the other commands need
	@bazel/setup build test bench lint

build:  ## build the optimised binary, bazel-bin/proxy/weir
	@bazel/setup build
	bazel build --config=opt //proxy:weir

run: build  ## start a gateway with a demo upstream, and say what to try
	@./examples/quickstart.sh

test:  ## build everything and run all tests; closes with `N passed, N failed`
	@bazel/setup build test
	@bazel/run_tests opt //...

test-asan:  ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@bazel/setup build test
	@bazel/run_tests asan //...

test-ubsan:  ## the tests under UndefinedBehaviorSanitizer alone
	@bazel/setup build test
	@bazel/run_tests ubsan //...

test-tsan:  ## the tests under ThreadSanitizer
	@bazel/setup build test
	@bazel/run_tests tsan //...

test-browser:  ## pages in Chromium through the proxy, in every version of HTTP
	@bazel/setup build test browser
	@bazel/run_tests opt //tests/browser:browser_test

bench: build  ## compare with nginx and HAProxy, side by side
	@bazel/setup bench
	@tests/bench/run

bench-xds: build  ## push endpoints, routes and clusters while weir serves
	@tests/bench/run_xds

fmt:  ## format every C++ file in place
	@bazel/setup lint
	git ls-files '*.cc' '*.h' | xargs -r clang-format -i

tidy:  ## check format, layers, lengths and banned calls
	@bazel/setup build test lint
	git ls-files '*.cc' '*.h' | xargs -r clang-format --dry-run --Werror
	@bazel/run_tests opt //tests/tidy/...

fuzz:  ## run each fuzz target for FUZZ_SECONDS (60); FUZZ_TARGET=name for one
	@bazel/setup build fuzz
	@bazel/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGET)

filter:  ## make a new HTTP filter from a scaffold: make filter NAME=request_tag
	@bazel/new_filter "$(NAME)"

clean:  ## delete what was built here; downloads and the cache in ~/.cache/weir stay
	bazel clean
