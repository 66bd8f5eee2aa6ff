#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tests with real mounts:
#	tests/mount/run.sh [--as-user] BUILD [--full] [PYTEST-ARGUMENT...]
# --as-user (root only): as an ordinary user, through fusermount3.  Where /dev/fuse is root's alone the tests get one of
# their own, in a mount namespace of their own.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
as_user=
[ "$1" = --as-user ] && { as_user=1; shift; }
PROJFS_BUILD=$(readlink -f "$1")
shift
[ "${1:-}" = --full ] && { export PROJFS_FULL=1; shift; }
export PROJFS_BUILD PYTHONDONTWRITEBYTECODE=1
# Debian's own has pytest, whatever python3 is in PATH
python=python3
"$python" -c 'import pytest' 2>/dev/null || python=/usr/bin/python3
where=$here
for argument; do
	[ -e "${argument%%::*}" ] && where= # the caller names the tests
done
pytest=("$python" -m pytest -p no:cacheprovider -q --rootdir "$here" "$@" ${where:+"$where"})

[ -n "$as_user" ] || exec "${pytest[@]}"

user=65534
if ! setpriv --reuid $user --clear-groups test -w /dev/fuse; then
	# shellcheck disable=SC2016
	exec unshare --mount --propagation private sh -c '
		set -e
		node=$(mktemp -d)
		mknod -m 666 "$node/fuse" c 10 229
		mount --bind "$node/fuse" /dev/fuse
		rm -f "$node/fuse"
		rmdir "$node"
		exec "$@"' sh "$0" --as-user "$PROJFS_BUILD" "$@"
fi
# so that the watchdog can abort; an ordinary user may abort his own connections
mountpoint -q /sys/fs/fuse/connections || mount -t fusectl fusectl /sys/fs/fuse/connections || true
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
chown $user:$user "$home"
mkdir -m 700 "$home/run" "$home/tmp"
chown $user:$user "$home/run" "$home/tmp"
chmod 755 "$home/tmp"
cd /
HOME=$home XDG_RUNTIME_DIR=$home/run TMPDIR=$home/tmp \
	setpriv --reuid=$user --regid=$user --clear-groups "${pytest[@]}"
