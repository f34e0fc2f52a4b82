#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The C programs that run in dom0 and in the guests compile without a warning.
# What belongs to a kernel module lies in a folder with a Kbuild file: module.sh
# builds that.

set -eu

cd "$(dirname "$0")/../.."
scripts/check/files.sh 'scripts/*.c' 'tests/*.c' | while read -r file; do
	[ -e "${file%/*}/Kbuild" ] || printf '%s\n' "$file"
done | xargs gcc -std=gnu11 -O2 -Wall -Wextra -Werror -fsyntax-only
