#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Print the project's files that match some of git's patterns: those in git, and
# those that would be added. Every check takes its files from here.
#
#     files.sh '*.c' '*.h'

set -eu

cd "$(dirname "$0")/../.."
git -c safe.directory="$PWD" ls-files --cached --others --exclude-standard -- "$@" |
	while read -r file; do
		[ ! -f "$file" ] || printf '%s\n' "$file"
	done
