#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What the bench and the checks need from the machine: Debian packages, found by
# what they bring. As root the missing ones are installed; otherwise the command
# that installs them is printed. Prints nothing when nothing is missing.
#
#     scripts/setup.sh

set -eu

TRIES=3
PATIENCE=300 # seconds that apt may take at one try

# Each line: a package, and a test that it is there.
list() {
	cat <<-'EOF'
	bc	command -v bc
	bison	command -v bison
	coccinelle	command -v spatch
	codespell	command -v codespell
	flex	command -v flex
	gcc	command -v gcc && command -v gcc-12
	git	command -v git
	lcov	command -v lcov
	libc6-dev	test -e /usr/include/stdio.h && test -e /usr/lib/x86_64-linux-gnu/libc.a
	libelf-dev	test -e /usr/include/gelf.h
	libelf1	test -e /usr/lib/x86_64-linux-gnu/libelf.so.1
	libssl3	test -e /usr/lib/x86_64-linux-gnu/libcrypto.so.3
	make	command -v make
	patch	command -v patch
	perl	perl -MTerm::ANSIColor -MEncode -e 1
	pyflakes3	command -v pyflakes3
	python3	command -v python3 && test -x /usr/bin/python3
	python3-matplotlib	/usr/bin/python3 -c 'import matplotlib'
	qemu-system-x86	command -v qemu-system-x86_64
	shellcheck	command -v shellcheck
	sparse	command -v sparse
	xz-utils	command -v xz
	zstd	command -v zstd
	EOF
}

missing() {
	list | while read -r package probe; do
		sh -c "$probe" </dev/null >/dev/null 2>&1 || printf ' %s' "$package"
	done
}

# Whether apt can name a version of each package; its lists may be empty or old.
known() {
	for package; do
		apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || return 1
	done
}

install() {
	export DEBIAN_FRONTEND=noninteractive
	try=1
	while :; do
		if [ "$try" -gt 1 ] || ! known "$@"; then
			timeout "$PATIENCE" apt-get -q update || true
		fi
		timeout "$PATIENCE" apt-get -q -y --no-install-recommends install "$@" && return
		[ "$try" -lt "$TRIES" ] || return 1
		try=$((try + 1))
		sleep "$((try * 5))"
	done
}

packages=$(missing)
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "setup.sh: this machine lacks what these Debian packages bring:$packages" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "setup.sh: these packages are missing; as root, run:" >&2
	echo "    apt-get update && apt-get install --no-install-recommends$packages" >&2
	exit 1
fi

echo "setup.sh: installing$packages"
# Words, each a package's name.
# shellcheck disable=SC2086
install $packages </dev/null || {
	echo "setup.sh: apt could not install$packages (tried $TRIES times, see above)" >&2
	exit 1
}
packages=$(missing)
[ -z "$packages" ] || {
	echo "setup.sh: installed, but still not found:$packages" >&2
	exit 1
}
