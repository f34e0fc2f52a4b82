# SPDX-License-Identifier: GPL-2.0
# What a person runs: `make help` lists it. What kbuild builds stands in Kbuild,
# which it prefers to this file.

KDIR ?= /lib/modules/$(shell uname -r)/build

# A kernel with BTF wants pahole for its modules; they work without.
btf := $(if $(shell command -v pahole),,CONFIG_DEBUG_INFO_BTF_MODULES=)
# The key that the kernel's own modules are signed with is not there to be had.
kbuild := $(MAKE) -C $(KDIR) M=$(CURDIR) $(btf) CONFIG_MODULE_SIG_ALL= INSTALL_MOD_DIR=updates

.PHONY: modules modules_install clean headers setup check check-static check-kunit check-lab \
	kunit kunit-planted coverage mutants lab soak check-faults bench demo help

modules modules_install clean: headers
	$(kbuild) $@

headers:
	@test -e $(KDIR)/Makefile || { echo "no kernel headers at $(KDIR):" \
		"install linux-headers-$$(uname -r), or say KDIR=<headers>" >&2; exit 1; }

setup:
	@scripts/setup.sh

check check-static check-kunit check-lab: setup
	@scripts/check/run.py $(patsubst check-%,%,$(filter-out check,$@))

kunit: setup
	@scripts/kunit/run.py $(addprefix --kernel=,$(KERNEL)) $(if $(SUITE),--suite='$(SUITE)') \
		$(if $(SEED),--param=seed=$(SEED)) $(if $(STEPS),--param=steps=$(STEPS))

kunit-planted: setup
	@scripts/kunit/planted.py

coverage: setup
	@scripts/kunit/coverage.py

mutants: setup
	@scripts/kunit/mutants.py $(addprefix --number=,$(N)) $(addprefix --seed=,$(SEED)) $(addprefix --kernel=,$(KERNEL))

lab: setup
	@scripts/lab/run.py $(addprefix --kernel=,$(KERNEL)) $(S)

check-faults: setup
	@scripts/lab/run.py --kernel=debug --kernel=lockdep --kernel=lending $(addprefix --faults=,$(or $(PERCENT),1 10)) $(S)

soak: setup
	@SOAK_SECONDS=$$(($(or $(HOURS),2) * 3600)) SOAK_SEED=$(SEED) \
		scripts/lab/run.py --type=$(or $(TYPE),pvh) --kernel=$(if $(filter pv,$(TYPE)),lockdep,debug) soak

bench: setup
	@tests/bench/bench.py $(if $(QUICK),--quick) $(F)

demo: setup
	@scripts/demo.py

help:
	@echo "make                    build drivers/xen/balloon/xen-balloon.ko for the running kernel"
	@echo "make KDIR=<headers>     build it for another kernel"
	@echo "make modules_install    install it for that kernel (as root)"
	@echo "make clean              remove what was built"
	@echo "make demo               show it beside the in-tree driver, in guests of a real Xen"
	@echo "make bench              measure it beside the in-tree driver, and write Documentation/benchmarks.rst"
	@echo "make bench QUICK=1      in five minutes instead of 90, and write nothing there"
	@echo "make bench F=\"NAME ...\" measure some figures of tests/bench/figures"
	@echo "make check              run all checks, builds, tests and scenarios"
	@echo "make check-static       run all of these that boot nothing"
	@echo "make check-kunit        run all of these that boot a kernel without Xen"
	@echo "make check-lab          run all of these that boot a Xen"
	@echo "make kunit              run the unit tests of tests/kunit in a kernel in QEMU, without Xen"
	@echo "make kunit KERNEL=debug SUITE='GLOB' SEED=N STEPS=N"
	@echo "                        with KASAN, lockdep and kmemleak; some suites; a longer walk"
	@echo "make kunit-planted      prove by planted bugs that their verdict can be trusted"
	@echo "make coverage           measure which lines and branches of the driver they run"
	@echo "make mutants [N=120] [SEED=1]"
	@echo "                        see whether they notice mistakes in the engine: N of some 2000"
	@echo "make lab S=\"NAME ...\"   run some scenarios of tests/lab"
	@echo "make soak [HOURS=2] [TYPE=pvh] [SEED=N]"
	@echo "                        do all that can happen to a guest, at random, for so long: pvh, pv"
	@echo "make check-faults [PERCENT=10] [S=\"NAME ...\"]"
	@echo "                        run all that can pass where 1 and 10 % of the driver's allocations fail"
	@echo "make lab KERNEL=debug   run them on a test kernel: debug, lockdep, base, nounpopulated, 6.1-debug ..."
