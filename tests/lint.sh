#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Style and static checks.
#	tests/lint.sh BUILD_ROOT
set -uo pipefail
cd "$(dirname "$0")/.." || exit
BUILD=$1
bad=0
check() {
	local name=$1
	shift
	if "$@" >"$BUILD/lint.log" 2>&1; then
		echo "ok    $name"
	else
		echo "FAIL  $name"
		head -n 40 "$BUILD/lint.log"
		bad=1
	fi
}
mkdir -p "$BUILD"
mapfile -t shell < <(git ls-files dev .ci/run '*.sh')
check "shellcheck" shellcheck -S warning "${shell[@]}"
check "include arrows" python3 tests/check_layers.py
check "headers" tests/check_headers.sh
check "every source names its licence" sh -c \
	'! git ls-files "*.c" "*.h" | xargs grep -L "SPDX-License-Identifier: MIT" | grep .'
check "no white space at line ends" sh -c '! git grep -nIE "[[:space:]]+$" -- "*.c" "*.h" "*.py" "*.sh" dev'
check "lines of at most 120 columns" sh -c \
	'! git ls-files "*.c" "*.h" | xargs awk "{ line = \$0; gsub(/\t/, \"        \", line); if (length(line) > 120) { print FILENAME \":\" FNR; n = 1 } } END { exit !n }"'
check "nothing left to do in the sources" sh -c '! git grep -nwE "TODO|FIXME|XXX" -- src include examples tests bench ":!tests/lint.sh"'
check "configure for clang-tidy" sh -c "[ -f '$BUILD/clang/build.ninja' ] || CC=clang meson setup '$BUILD/clang' -Dwerror=true"
check "clang compiles without warnings" ninja -C "$BUILD/clang"
mapfile -t sources < <(git ls-files 'src/*.c')
check "clang-tidy" clang-tidy --quiet -p "$BUILD/clang" "${sources[@]}"
exit $bad
