#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The kernel's own checkpatch.pl --strict finds nothing in any C file. These types
# of its messages are not asked for:
#   FILE_PATH_CHANGES     is about MAINTAINERS, a file of the kernel's own tree
#   CAMELCASE             without that tree it cannot tell the kernel's names, as
#                         SetPageOffline, from new ones
#   LINUX_VERSION_CODE    in include/compat, where such tests belong (tree.sh sees
#                         to it that they are nowhere else)
#   OPEN_ENDED_LINE, PARENTHESIS_ALIGNMENT
#                         in trace.h, whose TRACE_EVENT() is laid out as everywhere
#                         in the kernel
#   PREFER_*, BIT_MACRO
#                         in programs, which have none of the kernel's types and macros
#   ENOSYS                in tests, which answer as Xen does

set -eu

cd "$(dirname "$0")/../.."
failed=0

# Ignored types, files...
checkpatch() {
	ignored=$1
	shift
	[ $# -eq 0 ] || HOME=. "$scripts/checkpatch.pl" --strict --no-tree --root=. --terse --show-types \
		--no-summary --max-line-length=100 --ignore "$ignored" -f "$@" || failed=1
}

scripts=$(scripts/lab/packages.py source 6.12)
programs=$(scripts/check/files.sh 'scripts/*.[ch]' 'tests/*.[ch]')
compat=$(scripts/check/files.sh 'include/compat/*.h')
trace=$(scripts/check/files.sh '*/trace.h')
others=$(scripts/check/files.sh '*.[ch]' ':!scripts' ':!tests' ':!include/compat' ':!*/trace.h')

# It reads settings from $HOME and names from include/, and leaves a file behind:
# let it work in a copy.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/include"
scripts/check/files.sh '*.[ch]' | xargs cp --parents -t "$copy"
cd "$copy"

everywhere=FILE_PATH_CHANGES,CAMELCASE
# Lists of our files, whose names have no blanks.
# shellcheck disable=SC2086
{
	checkpatch "$everywhere" $others
	checkpatch "$everywhere,LINUX_VERSION_CODE" $compat
	checkpatch "$everywhere,OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT" $trace
	checkpatch "$everywhere,PREFER_DEFINED_ATTRIBUTE_MACRO,PREFER_KERNEL_TYPES,BIT_MACRO,ENOSYS" $programs
}
exit "$failed"
