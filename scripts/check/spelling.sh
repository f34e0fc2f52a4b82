#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# codespell finds no misspelt word in any file of ours. COPYING is not ours; "to and fro" is right.

set -eu

cd "$(dirname "$0")/../.."
scripts/check/files.sh ':!COPYING' | xargs codespell --ignore-words-list=fro
