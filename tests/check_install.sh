#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Install into a temporary prefix and use it as a newcomer would: outside of the source tree, without the environment
# variables of the tests, as root and as an ordinary user.
#	tests/check_install.sh BUILD_ROOT
set -euo pipefail
unset PROJFS_HELPER PROJFS_PROVIDER_PATH
here=$PWD
work=$(mktemp -d)
chmod 755 "$work"
prefix=$work/prefix
# A program's own prefix may be asked for anything, so nothing may come from the build tree.
PROJFS_BUILD_ROOT=$1 ./dev install "$prefix" >/dev/null
projfs=$prefix/bin/projfs

finish() {
	awk '$3 == "fuse.projfs" {print $2}' /proc/self/mounts | grep "^$work/" | xargs -r -n 1 umount -l || true
	cd "$here" && rm -rf "$work"
}
trap finish EXIT
cd "$work"

fail() { echo "check_install: $*" >&2; exit 1; }

for page in projfs.1 projfs-mount.1 projfs-umount.1 projfs-status.1 projfs-state.1 projfs-ls.1 projfs-hydrate.1 \
	projfs-restore.1 projfs-fsck.1 projfs-sync.1 projfs-doctor.1 projfs-dir.7 projfs-fault.7; do
	find "$prefix" -name "$page" | grep -q . || fail "no manual page $page"
done
find "$prefix" -path '*bash-completion*' -name projfs | grep -q . || fail "no completion"
! grep -rIl "$here" "$prefix" --include='*.pc' --include='*.h' || fail "the source tree's path was installed"

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
for provider in dir fault; do
	[ -f "$(pkg-config --variable=providerdir projfs)/$provider.so" ] ||
		fail "pkg-config's providerdir has no $provider.so"
done

# Programs and providers build against what was installed.
read -ra flags <<<"$(pkg-config --cflags --libs projfs)"
cc -o hello_program "$here/examples/hello_program.c" "$here/examples/tree.c" "${flags[@]}" -Wl,-rpath,"$prefix/lib"
mkdir -p providers
cc -shared -fPIC -o providers/hello_provider.so "$here/examples/hello_provider.c" "$here/examples/tree.c" \
	"${flags[@]}"
[ "$(wc -l <"$here/examples/hello_program.c")" -lt 150 ] || fail "an example has grown beyond 150 lines"

# What a user does to a tree, and what must be there after a restart.
change() {
	echo more >>"$1/new"
	rm "$1/gone"
	mv "$1/sub" "$1/other"
	mv "$1/other/file" "$1/other/moved"
	changed "$1"
}
changed() {
	[ "$(cat "$1/new")" = more ] || fail "a new file is lost"
	[ ! -e "$1/gone" ] || fail "a deleted file came back"
	[ "$("$projfs" ls --tombstones "$1" | sort | tr '\n' ' ')" = "gone sub " ] || fail "wrong tombstones"
	[ "$(cat "$1/other/moved")" = content ] || fail "a renamed file lost its content"
	[ "$("$projfs" state "$1/new" | cut -d' ' -f1)" = full ] || fail "a new file is not full"
}

use() {
	mkdir -p "$1/source/sub" "$1/root" "$1/hello" "$1/program"
	echo content >"$1/source/sub/file"
	echo gone >"$1/source/gone"
	"$projfs" mount "dir:$1/source" "$1/root"
	diff -r "$1/source" "$1/root"
	[ "$("$projfs" state "$1/root/sub/file" | cut -d' ' -f1)" = hydrated ] || fail "not hydrated"
	[[ "$("$projfs" status "$1/root")" == *"$1/root"* ]] || fail "no status"
	"$projfs" ls --state "$1/root" >/dev/null
	"$projfs" hydrate -R --quiet "$1/root"
	"$projfs" sync "$1/root"
	change "$1/root"
	"$projfs" umount "$1/root" 2>/dev/null
	cmp "$1/source/sub/file" "$1/root/other/moved"
	"$projfs" mount "dir:$1/source" "$1/root"
	changed "$1/root"
	"$projfs" restore "$1/root/gone" >/dev/null
	[ "$(cat "$1/root/gone")" = gone ] || fail "what was restored is not there"
	"$projfs" umount --quiet "$1/root"
	"$projfs" fsck "$1/root" >/dev/null
	PROJFS_PROVIDER_PATH=$work/providers "$projfs" mount hello_provider:world "$1/hello"
	[ -n "$(find "$1/hello" -type f -exec cat {} +)" ] || fail "the hello provider shows nothing"
	"$projfs" umount --quiet "$1/hello"
	"$work/hello_program" "$1/program" >"$1/ready" &
	program=$!
	while ! grep -q ready "$1/ready"; do kill -0 $program; done
	grep -q Hello "$1/program/hello.txt" || fail "the example program shows nothing"
	kill -INT $program
	wait $program
	"$projfs" doctor >/dev/null || true
}
export -f use change changed fail
export projfs work

mkdir as-root as-user
use "$work/as-root"
if [ "$(id -u)" = 0 ]; then
	chown 65534:65534 as-user
	mkdir run && chown 65534:65534 run && chmod 700 run
	setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$work/as-user" XDG_RUNTIME_DIR="$work/run" \
		bash -euo pipefail -c "use '$work/as-user'"
fi
echo "installed, built against, and used"
