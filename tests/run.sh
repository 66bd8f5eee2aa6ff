#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# All tests, from cheap to expensive.  Ends with the line "N passed, N failed".
#	tests/run.sh BUILD_ROOT [--full]
set -uo pipefail
cd "$(dirname "$0")/.." || exit
BUILD=$1
FULL=${2:-}
JOBS=$(nproc)
passed=0
failed=0
mkdir -p "$BUILD"
export PROJFS_TEST_RUN=$$-$RANDOM # by which our processes are known

say() { printf '\n== %s\n' "$*"; }

# An ordinary user needs the device. Where it is root's alone (some containers), tests get one of their own, in a
# mount namespace of their own, so that the machine stays as it is.
if [ "$(id -u)" = 0 ] && [ -z "${PROJFS_TEST_NAMESPACE:-}" ] && ! setpriv --reuid 65534 --clear-groups test -w /dev/fuse; then
	export PROJFS_TEST_NAMESPACE=1
	# shellcheck disable=SC2016
	exec unshare --mount --propagation private sh -c '
		set -e
		node=$(mktemp -d)
		mknod -m 666 "$node/fuse" c 10 229
		mount --bind "$node/fuse" /dev/fuse
		rm -f "$node/fuse" && rmdir "$node"
		exec "$@"' sh "$0" "$@"
fi

# one NAME COMMAND...: one check that counts as one test
one() {
	local name=$1
	shift
	if "$@" >"$BUILD/last.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok    $name"
	else
		failed=$((failed + 1))
		echo "FAIL  $name"
		tail -n 60 "$BUILD/last.log"
	fi
}

# Debug builds into directories of their own; configured once.
build() {
	local dir=$1
	shift
	[ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" || return
	ninja -j "$JOBS" -C "$dir"
}

# meson_tests DIR NAME [ARG...]: counts what meson reports
meson_tests() {
	local dir=$1 name=$2 ok bad
	shift 2
	say "$name"
	meson test -C "$dir" --no-rebuild --print-errorlogs "$@" 2>&1 | tee "$BUILD/last.log" |
		grep -E '^ *[0-9]+/[0-9]+|^(stdout|stderr)|Assert|ERROR|FAIL' || true
	ok=$(sed -n 's/^Ok: *//p' "$BUILD/last.log" | tail -n 1)
	bad=$(awk '/^(Fail|Timeout|Unexpected Pass):/ {n += $NF} END {print n + 0}' "$BUILD/last.log")
	[ -n "$ok" ] || { ok=0; bad=1; tail -n 40 "$BUILD/last.log"; }
	passed=$((passed + ok))
	failed=$((failed + bad))
}

# pytest_run NAME COMMAND...: counts what pytest reports
pytest_run() {
	local name=$1 summary n
	shift
	say "$name"
	"$@" 2>&1 | tee "$BUILD/last.log" | tail -n 120
	summary=$(grep -E '^=+ .*(passed|failed|error).* =+$|^[0-9]+ (passed|failed).* in ' "$BUILD/last.log" | tail -n 1)
	n=$(grep -oE '[0-9]+ passed' <<<"$summary" | grep -oE '[0-9]+')
	passed=$((passed + ${n:-0}))
	n=$(grep -oE '[0-9]+ (failed|error)' <<<"$summary" | awk '{s += $1} END {print s + 0}')
	[ -n "$summary" ] || n=1
	failed=$((failed + ${n:-0}))
}

# counted_run NAME COMMAND...: counts what its last line says, "N passed, N failed"; 77 is a skip
counted_run() {
	local name=$1 summary status
	shift
	say "$name"
	"$@" 2>&1 | tee "$BUILD/last.log"
	status=${PIPESTATUS[0]}
	[ "$status" -eq 77 ] && return
	summary=$(tail -n 1 "$BUILD/last.log")
	if [[ $summary =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
	else
		failed=$((failed + 1))
	fi
}

say "the tree"
one "include arrows" python3 tests/check_layers.py
one "public headers compile alone as C99 and C++" tests/check_headers.sh
one "doc/conformance.md says what shows each statement" tests/conformance/generate.py --check

say "building with gcc and clang, warnings are errors"
GCC=$BUILD/gcc-asan CLANG=$BUILD/clang TSAN=$BUILD/gcc-tsan
one "gcc, address and undefined sanitizers" build "$GCC" -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=true
CC=clang one "clang" build "$CLANG" -Dwerror=true
one "gcc, thread sanitizer" build "$TSAN" -Db_sanitize=thread -Db_lundef=false -Dwerror=true

if [ "$failed" -eq 0 ]; then
	one "exported symbols are the public API" python3 tests/check_exports.py "$CLANG/src/api/libprojfs.so"
	meson_tests "$GCC" "unit and fuzz tests, ASan and UBSan" --timeout-multiplier 3
	meson_tests "$TSAN" "unit tests under TSan" --timeout-multiplier 5 --wrapper "$PWD/tests/tsan_wrapper.sh" --suite unit
	one "installs and works from a prefix" tests/check_install.sh "$BUILD"
	pytest_run "mount tests" tests/mount/run.sh "$GCC" $FULL --junitxml="$BUILD/mount-tests.xml"
	if [ "$(id -u)" = 0 ]; then
		pytest_run "mount tests as an ordinary user" tests/mount/run.sh --as-user "$GCC" $FULL
	fi
	say "lockstep fuzzer"
	# the same seeds each time; new ones by hand, and with --full
	lockstep=(--seconds 120 --seed 1 --seed 2 --seed 3)
	[ "$FULL" != --full ] || lockstep=(--seconds 600)
	one "random operations on a view and on a plain copy agree" \
		tests/fuzz/lockstep_run.py --build "$GCC" "${lockstep[@]}"
	one "what doc/conformance.md names has passed" tests/conformance/generate.py --results "$BUILD"
fi

if [ "$FULL" = --full ]; then
	say "foreign suites"
	suites=${PROJFS_SUITES:-../shared/suites}
	if [ -d "$suites/pjdfstest" ]; then
		# of an optimised build: it takes minutes as it is
		one "the optimised build" build "$BUILD/release" --buildtype=release
		counted_run "pjdfstest" tests/pjdfstest.sh --keep "$BUILD/pjdfstest" "$BUILD/release"
	else
		echo "skipped: no suites in $suites (PROJFS_SUITES)"
	fi
fi

say "left behind"
one "nothing is left mounted" sh -c "! grep -q ' fuse.projfs ' /proc/self/mounts"
# shellcheck disable=SC2016
one "no process is left over" sh -c '
	for p in $(pgrep "^(projfs|projfs-helper|hello_program)$"); do
		grep -qsz "^PROJFS_TEST_RUN=$PROJFS_TEST_RUN$" "/proc/$p/environ" && ps -fp "$p" && exit 1
	done
	exit 0'

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
