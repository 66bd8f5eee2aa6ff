#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What `./dev demo` shows: the machine's own headers, projected.
#	tests/demo.sh BUILD_DIR
set -euo pipefail
build=$1
export PROJFS_HELPER=$build/src/fuse/projfs-helper PROJFS_PROVIDER_PATH=$build/src/provider/dir
projfs=$build/src/cli/projfs
source=${PROJFS_DEMO_SOURCE:-/usr/include}
work=$(mktemp -d)
root=$work/root
file=$(cd "$source" && find . -type f -name '*.h' -size +2k -print -quit)
file=${file#./}

finish() {
	grep -q " $root " /proc/self/mounts && "$projfs" umount --quiet "$root"
	rm -rf "$work"
}
trap finish EXIT

run() {
	printf '\n$ %s\n' "$(sed "s|$work/||g; s|$projfs|projfs|g" <<<"$*")"
	"$@" | sed "s|$work/||g"
}
local_bytes() { "$projfs" status "$root" | grep -m 1 'bytes local' | sed 's/^ *//'; }

mkdir "$root"
echo "Projecting $source ($(find "$source" | wc -l) items, $(du -sh "$source" | cut -f1)) into an empty directory."
run "$projfs" mount "dir:$source" "$root"

echo "The listing is complete, though nothing was copied:"
echo "  items in the source:  $(find "$source" | wc -l)"
echo "  items in the view:    $(find "$root" | wc -l)"
echo "  $(local_bytes)"

echo
echo "Reading one file hydrates just that one:"
cmp "$source/$file" "$root/$file" && echo "  $file reads as in the source"
run "$projfs" state "$root/$file"
echo "  $(local_bytes)"

run "$projfs" umount --quiet "$root"
echo "Nothing runs now, and the file is there, a plain file on the disk:"
run ls -l "$root/$file"
cmp "$source/$file" "$root/$file"

run "$projfs" mount "dir:$source" "$root"
echo "After the second mount it is remembered, and everything is back:"
run "$projfs" state "$root/$file"
echo "  items in the view:    $(find "$root" | wc -l)"
echo "  $(local_bytes)"
