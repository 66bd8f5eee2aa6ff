#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# pjdfstest, a suite of POSIX file system tests, on a view (root, over ext4):
#	tests/pjdfstest.sh [--ext4] [--keep DIR] BUILD [TEST...]
# Runs in a directory made in the view ("local") and in one that the source has ("projected"); with --ext4 on the disk
# underneath, too, for reference.  TEST is a path below the suite's tests/, as rename or rename/09.t; all without.
#
# What fails has to be what tests/pjdfstest.expected says, whose reasons doc/posix.md explains: what is not there is a
# bug of ours, what is there and passes is a line to take out.  Ends with "N passed, N failed": one for each place.
# The suite is looked for in PROJFS_SUITES and in ../shared/suites.  Exit code 77: it, or what it needs, is not there.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
reference='' keep=''
while :; do
	case ${1:-} in
	--ext4) reference=1 ;;
	--keep) keep=$(realpath -m "$2"); shift ;;
	*) break ;;
	esac
	shift
done
build=$(readlink -f "$1")
shift
suite=${PROJFS_SUITES:-$here/../../shared/suites}/pjdfstest
skip() { echo "skipped pjdfstest: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root"
[ -f "$suite/configure.ac" ] || skip "not in $suite (PROJFS_SUITES)"
for program in autoreconf automake prove openssl; do
	command -v $program >/dev/null || skip "no $program"
done

work=$(mktemp -d)
root=$work/root
finish() {
	mountpoint -q "$root" && { "$build/src/cli/projfs" umount --quiet "$root" || umount -l "$root"; }
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
chmod 755 "$work" # the tests change their user
mkdir -p "$work"/{source/projected,root,run,results,plain}
chmod 700 "$work/run"
cp -r "$suite" "$work/suite"
(cd "$work/suite" && autoreconf -if && ./configure -q && make -s pjdfstest) >"$work/build.log" 2>&1 ||
	{ cat "$work/build.log"; exit 1; }

# run NAME DIRECTORY [TEST...]: leaves NAME.out, and NAME.failed with lines "test.t NUMBER,NUMBER-NUMBER"
run() {
	local name=$1 directory=$2 tests=("$work/suite/tests")
	shift 2
	[ $# -eq 0 ] || tests=("${@/#/$work/suite/tests/}")
	(cd "$directory" && prove -r "${tests[@]}") >"$work/results/$name.out" 2>"$work/results/$name.err" || true
	# the summary names each file, then its numbers, which may go on over several lines
	awk -v top="$work/suite/tests/" '
		/^Test Summary Report/ { on = 1; next }
		!on { next }
		index($1, top) == 1 { file = substr($1, length(top) + 1); next }
		/^  Failed tests?: / { sub(/^  Failed tests?: +/, ""); numbers = 1; line[file] = $0; next }
		numbers && /^                / { sub(/^ +/, ""); line[file] = line[file] $0; next }
		{ numbers = 0 }
		/^  (Non-zero|Parse errors|No plan)/ && !(file in line) { line[file] = "broken" }
		END { for (f in line) { gsub(/ /, "", line[f]); print f, line[f] } }' \
		"$work/results/$name.out" | sort >"$work/results/$name.failed"
	awk -v name="$name" '
		/^Files=/ { split($2, t, /[=,]/); total = t[2] }
		function count(list,  parts, n, i, ends) {
			n = split(list, parts, ",")
			for (i = 1; i <= n; i++)
				bad += split(parts[i], ends, "-") == 2 ? ends[2] - ends[1] + 1 : parts[i] != ""
		}
		FILENAME ~ /failed$/ { count($2) }
		END { printf "pjdfstest %s: %d of %d passed\n", name, total - bad, total }' \
		"$work/results/$name.out" "$work/results/$name.failed"
}

passed=0 failed=0
# compare NAME: one "file number" a line on both sides, ranges spread out; a line of the expectation is for
# "both" places or for one of them
compare() {
	local name=$1
	spread() { awk '{ n = split($2, p, ","); for (i = 1; i <= n; i++) { m = split(p[i], e, "-")
		for (k = e[1]; m == 2 && k <= e[2]; k++) print $1, k; if (m == 1) print $1, p[i] } }' | sort; }
	spread <"$work/results/$name.failed" >"$work/results/$name.is"
	awk -v name="$name" '$1 == "both" || $1 == name { print $2, $3 }' "$here/pjdfstest.expected" | spread | awk -v tests="${tests[*]:-}" 'BEGIN { n = split(tests, t, " ") }
			{ hit = !n; for (i = 1; i <= n; i++) hit = hit || index($1, t[i]) == 1 } hit' >"$work/results/$name.wanted"
	if diff "$work/results/$name.wanted" "$work/results/$name.is" >"$work/results/$name.diff"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$name differs from tests/pjdfstest.expected (< expected to fail, > failed):"
		grep '^[<>]' "$work/results/$name.diff" | head -n 60
	fi
}

tests=("$@")
[ -z "$reference" ] || run ext4 "$work/plain" "${tests[@]}"
export XDG_RUNTIME_DIR=$work/run PROJFS_HELPER=$build/src/fuse/projfs-helper PROJFS_PROVIDER_PATH=$build/src/provider/dir
"$build/src/cli/projfs" mount -o "log=$work/results/log" "dir:$work/source" "$root"
mkdir "$root/local"
for name in local projected; do
	run $name "$root/$name" "${tests[@]}"
	compare $name
done
"$build/src/cli/projfs" umount --quiet "$root"
[ -z "$keep" ] || { mkdir -p "$keep"; cp -r "$work/results/." "$keep"; }
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
