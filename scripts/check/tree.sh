#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The project's own rules, which no tool knows: one result for each.

set -eu

cd "$(dirname "$0")/../.."
count=0
failed=0

# Whether a rule holds: nothing may be found.
rule() { # the rule, what breaks it
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count $1"
	else
		printf '%s\n' "$2"
		echo "not ok $count $1"
		failed=1
	fi
}

# The lines of files that match an extended regular expression.
lines() { # expression, files as git's patterns...
	expression=$1
	shift
	scripts/check/files.sh "$@" | xargs -r grep -HnIE -e "$expression" || :
}

without_licence() {
	scripts/check/files.sh ':!COPYING' ':!*.md' | while read -r file; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: ' || echo "$file"
	done
}

# The hosts of package sources are found in the machine's own set-up.
package_hosts() {
	# $(REPO_URI) is apt's to fill in.
	# shellcheck disable=SC2016
	hosts=$(apt-get indextargets --format '$(REPO_URI)' | sed -n 's#^[a-z+]*://\([^/:]*\).*#\1#p' | sort -u)
	for host in $hosts; do
		lines "$(printf '%s' "$host" | sed 's/\./\\./g')"
	done
}

large_files() {
	scripts/check/files.sh | xargs -r du -k | awk '$1 > 1024 { print $2 ": " $1 " KiB" }'
}

# Spelt so that this file does not break the rule itself.
home='/(work|root|home)/[a-z.]|/tmp/[b]ash_jobs'

echo "1..8"
rule "every file names its licence in its first lines" "$(without_licence)"
rule "no file has a path of the machine that it was written on" "$(lines "(^|[^A-Za-z0-9_.}])$home")"
rule "no file names a host that packages come from" "$(package_hosts)"
rule "no file is larger than 1 MiB" "$(large_files)"
rule "the kernel's version is asked for in include/compat alone" \
	"$(lines '\b(LINUX_VERSION_CODE|KERNEL_VERSION)\b' '*.[ch]' '*Kbuild' ':!include/compat')"
rule "hypercalls are made in xenmem-*.c alone" \
	"$(lines '\bHYPERVISOR_[a-z_]+\(' 'drivers/*.[ch]' ':!drivers/xen/balloon/xenmem-*.c')"
rule "the driver prints no address of the kernel's" "$(lines '%p' 'drivers/*.[ch]' 'include/*.[ch]')"
rule "the driver never stops the machine by BUG() or panic()" \
	"$(lines '\b(BUG|BUG_ON|panic|VM_BUG_ON[A-Z_]*)\(' 'drivers/*.[ch]' 'include/*.[ch]')"
exit "$failed"
