#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Checked with shellcheck: it finds nothing in any shell script: whatever begins by naming a shell.

set -eu

cd "$(dirname "$0")/../.."
scripts/check/files.sh | while read -r file; do
	if head -n 1 "$file" | grep -qaE '^#!.*\b(ba)?sh\b'; then
		printf '%s\n' "$file"
	fi
done | xargs shellcheck
