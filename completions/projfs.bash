# SPDX-License-Identifier: MIT
# bash completion for projfs(1)

# The names in the first column of the options that the command itself prints, as "name=" or "name".
_projfs_mount_options()
{
	projfs mount --help-provider "$1" 2>/dev/null |
		sed -n 's/^  \([a-z][a-z0-9_-]*=\{0,1\}\)[^ ]*  *.*/\1/p'
}

_projfs_providers()
{
	projfs mount --list-providers 2>/dev/null | awk '{ print $1 }'
}

# Mount points of projfs; \040 is a blank in the table.
_projfs_roots()
{
	awk '{ for (i = 6; i < NF; i++) if ($i == "-" && $(i + 1) == "fuse.projfs") print $5 }' \
		/proc/self/mountinfo 2>/dev/null | sed 's/\\040/ /g'
}

# The provider that the command line names already, for its options; else dir.
_projfs_named_provider()
{
	local word

	for word in "${COMP_WORDS[@]:2}"; do
		case $word in
		-* | */* | "") ;;
		*)
			if _projfs_providers | grep -qxF -- "${word%%:*}"; then
				printf '%s\n' "${word%%:*}"
				return
			fi
			;;
		esac
	done
	printf 'dir\n'
}

_projfs_complete_mount_option()
{
	local current=$1 before=

	# after the last comma, a new option
	if [[ $current == *,* ]]; then
		before=${current%,*},
		current=${current##*,}
	fi
	mapfile -t COMPREPLY < <(compgen -P "$before" -W \
		"$(_projfs_mount_options "$(_projfs_named_provider)")" -- "$current")
	compopt -o nospace
}

_projfs_complete_mount()
{
	local current=$1 previous=$2

	case $previous in
	-o)
		_projfs_complete_mount_option "$current"
		return
		;;
	--help-provider)
		mapfile -t COMPREPLY < <(compgen -W "$(_projfs_providers)" -- "$current")
		return
		;;
	esac
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"-f --foreground -o --list-providers --help-provider --help" -- "$current")
	elif [[ $previous == mount || $previous == -f || $previous == --foreground ]]; then
		mapfile -t COMPREPLY < <(compgen -S : -W "$(_projfs_providers)" -- "$current")
		compopt -o nospace
	else
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
	fi
}

_projfs_complete_roots()
{
	local root

	compopt -o filenames
	while IFS= read -r root; do
		[[ $root == "$1"* ]] && COMPREPLY+=("$root")
	done < <(_projfs_roots)
	((${#COMPREPLY[@]})) || mapfile -t COMPREPLY < <(compgen -d -- "$1")
}

_projfs()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} options=
	local commands="mount umount status state ls hydrate restore sync fsck doctor"

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$current")
		return
	fi
	case ${COMP_WORDS[1]} in
	mount)
		_projfs_complete_mount "$current" "$previous"
		return
		;;
	umount) options="--lazy --quiet" ;;
	status) options="--json" ;;
	state) options="--json" ;;
	ls) options="--json --recursive --state --tombstones" ;;
	hydrate) options="--recursive --quiet --json" ;;
	restore) options="--recursive --dry-run --json" ;;
	sync) options="" ;;
	fsck) options="--repair --json" ;;
	doctor) options="--json" ;;
	*) return ;;
	esac
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options --help" -- "$current")
		return
	fi
	case ${COMP_WORDS[1]} in
	fsck)
		# of a root that is not mounted
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		;;
	umount | status | sync | doctor) _projfs_complete_roots "$current" ;;
	*)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		;;
	esac
}

complete -F _projfs projfs
