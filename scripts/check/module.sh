#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Every module builds for a kernel without a warning (W=1, with which the comments
# of its sources are read by kernel-doc too), kernel-doc finds nothing in its
# headers, and sparse finds nothing in it. No file of the driver needs another that needs
# it back. Built in a copy, from nothing.
#
#     module.sh 6.1          all modules but those of tests/kunit, for Debian's kernel
#     module.sh 6.1-base     those of tests/kunit, for a test kernel, which has KUnit

set -eu

cd "$(dirname "$0")/../.."
series=$1
case $series in
*-*)
	headers=$(scripts/kernel/build.py "${series%%-*}" "${series#*-}")/build
	kbuilds=$(scripts/check/files.sh 'tests/kunit/*Kbuild')
	;;
*)
	headers=$(scripts/lab/packages.py headers "$series")
	kbuilds=$(scripts/check/files.sh Kbuild 'tests/*/Kbuild' ':!tests/kunit')
	;;
esac
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
count=0
failed=0

result() { # name, what was found
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count $1"
	else
		echo "$2"
		echo "not ok $count $1"
		failed=1
	fi
}

# Print the complaints that kernel-doc has about the headers below a folder.
headers_doc() {
	find "$1" -name '*.h' -exec "$headers/scripts/kernel-doc" -none {} + 2>&1
}

# Print the complaints that a make has about the copied files, and its errors.
complaints() { # folder, variables for make...
	below=$1
	shift
	make -s -j"$(nproc)" -C "$headers" M="$below" CONFIG_DEBUG_INFO_BTF_MODULES= W=1 "$@" modules \
		>"$copy/log" 2>&1 || echo "make failed: $(tail -n 30 "$copy/log")"
	grep -E "^$copy.*(warning|error):|^(WARNING|ERROR): modpost" "$copy/log" | sed "s#^$copy/##" || :
}

scripts/check/files.sh '*.c' '*.h' '*Kbuild' | xargs cp --parents -t "$copy"
echo "1..$(($(echo "$kbuilds" | grep -c .) * 2 + $(echo "$kbuilds" | grep -cx Kbuild)))"
for kbuild in $kbuilds; do
	folder=$(dirname "$kbuild")
	[ "$folder" = . ] && name="the driver" || name=$folder
	result "$name builds without a warning" "$(complaints "$copy/$folder"; headers_doc "$copy/$folder")"
	result "sparse finds nothing in $name" "$(complaints "$copy/$folder" C=2)"
	[ "$folder" != . ] ||
		result "no circle in $name" "$(scripts/check/circles.py "$copy/drivers/xen/balloon" 2>&1)"
done
exit "$failed"
