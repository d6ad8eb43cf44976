# Everything a newcomer types. Each target installs what it lacks from Debian's packages and says so.
#   make demo       see what weir does, in about a minute
#   make test       the tests of every day
#   make test-all   the long ones beside them
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 30
ARGS ?=
# Not empty: `make bench` measures other gateways too.
PEERS ?=

need = @tools/install_packages
ctest = ctest --output-on-failure --no-tests=error --timeout 900 -j $(JOBS) --test-dir
# Address-space layout as ThreadSanitizer's runtime expects it, where the kernel lets us ask.
steady_addresses = $(shell setarch -R true 2>/dev/null && echo setarch -R)

# The compiler cache serves every checkout, wherever it stands.
export CCACHE_BASEDIR = $(CURDIR)
export CCACHE_NOHASHDIR = 1
export CTEST_PROGRESS_OUTPUT = 0
export ASAN_OPTIONS ?= detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS ?= print_stacktrace=1
export TSAN_OPTIONS ?= halt_on_error=1:second_deadlock_stack=1

.PHONY: build demo test test-release test-asan test-all test-tsan test-e2e-asan test-e2e-tsan fuzz \
        test-packages coverage bench fmt lint package wheel clean
.DEFAULT_GOAL := build
.NOTPARALLEL:

build:
	$(need) build
	@test -f build/release/build.ninja || cmake --preset release
	@ninja -j $(JOBS) -C build/release weir_exe

demo: build
	@build/release/weir demo $(ARGS)

# One build directory serves users, tests and measurements: nothing is compiled twice.
test: test-release
	@tests/e2e/run build/release/weir

test-release:
	$(need) build test
	@cmake --preset release -DWEIR_TESTS=ON
	@ninja -j $(JOBS) -C build/release
	@$(ctest) build/release

test-asan:
	$(need) build test
	@cmake --preset asan
	@ninja -j $(JOBS) -C build/asan
	@$(ctest) build/asan

test-all: test-packages test-asan test-tsan test-e2e-asan fuzz

# The Debian package, the wheel, the systemd unit, the files under packaging/.
test-packages: package wheel
	$(need) test
	@tests/packaging/run

test-tsan:
	$(need) build test
	@cmake --preset tsan
	@ninja -j $(JOBS) -C build/tsan
	@$(steady_addresses) $(ctest) build/tsan

test-e2e-asan: test-asan
	@WEIR_E2E_LARGE=1 WEIR_PROMISES_SECONDS=300 tests/e2e/run build/asan/weir

test-e2e-tsan: test-tsan
	@$(steady_addresses) tests/e2e/run build/tsan/weir

fuzz:
	$(need) build fuzz
	@cmake --preset fuzz
	@ninja -j $(JOBS) -C build/fuzz tests/fuzz/all
	@tools/fuzz build/fuzz $(FUZZ_SECONDS) $(JOBS)

# What unit and property tests alone reach, no socket opened but for those that test sockets.
coverage:
	$(need) build test coverage
	@cmake --preset coverage
	@ninja -j $(JOBS) -C build/coverage unit_policy unit_gateway property
	@tools/coverage build/coverage

bench:
	$(need) build bench $(if $(PEERS),peers)
	@cmake --preset release -DWEIR_BENCH=ON
	@ninja -j $(JOBS) -C build/release
	@tests/bench/run build/release $(if $(PEERS),--peers) $(ARGS)

fmt:
	$(need) fmt
	@git ls-files '*.cpp' '*.h' | xargs clang-format-19 -i

lint:
	$(need) build test lint
	@git ls-files '*.cpp' '*.h' | xargs clang-format-19 --dry-run -Werror
	@cmake --preset tidy
	@run-clang-tidy-19 -quiet -j $(JOBS) -p build/tidy "$(CURDIR)/(src|tests)/.*\.cpp$$"

package: build
	$(need) package
	@ninja -j $(JOBS) -C build/release weir_exe weir weir_client
	@cd build/release && cpack -G DEB -B "$(CURDIR)/build/package"
	@ls build/package/*.deb

# The executable and its libraries as a Python package: pip install build/wheel/*.whl
wheel: build
	$(need) wheel
	@test -x build/venv-wheel/bin/auditwheel || python3 -m venv build/venv-wheel
	@build/venv-wheel/bin/pip install -q --disable-pip-version-check -r packaging/wheel/requirements.txt
	@build/venv-wheel/bin/python tools/make_wheel build/release/weir build/wheel

clean:
	@rm -rf build
