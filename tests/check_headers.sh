#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, as C99 and as C++, with both compilers.
set -eu
cd "$(dirname "$0")/.."
for header in include/*/*.h; do
	name=${header#include/}
	for compiler in "gcc -std=c99 -x c" "clang -std=c99 -x c" "g++ -std=c++11 -x c++" "clang++ -std=c++11 -x c++"; do
		printf '#include <%s>\n' "$name" |
			$compiler -Wall -Wextra -pedantic -Werror -Iinclude -fsyntax-only - ||
			{ echo "$name: $compiler"; exit 1; }
	done
done
