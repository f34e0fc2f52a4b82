#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# pyflakes finds nothing in any Python file, and no line is longer than 120 columns.

set -eu

cd "$(dirname "$0")/../.."
scripts/check/files.sh '*.py' | xargs pyflakes3
if scripts/check/files.sh '*.py' | xargs grep -nE '^.{121}|[[:blank:]]$'; then
	echo "the lines above are longer than 120 columns, or end in blanks"
	exit 1
fi
