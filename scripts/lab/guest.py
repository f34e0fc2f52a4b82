# SPDX-License-Identifier: GPL-2.0
"""A guest: its configuration, its life from creation to end, and the commands that its agent runs."""

import contextlib
import json
import re
import shlex
import time
from itertools import count

import meter
from host import HostError, Timeout, result
from xenstore import XenstoreError

BOOT_TIMEOUT = 480
PIECE = 3000                # bytes of a command in one node of xenstore
FAULTS = ("failslab", "fail_page_alloc")        # see Documentation/fault-injection in Linux
MANY = 1 << 30
PROBES = "/sys/kernel/debug/kprobes/enabled"
OPENS = "stats_open|invariant_open"
OPEN_BYTES = 128            # more than each of them has
LIVENESS = 1.0              # seconds between two looks whether the guest still is there
ASKED = "9wtm"              # of the kernel where it hangs: all messages, then these, as in its sysrq document
TELLS_WITHIN = 10           # seconds
TARGET_ARRIVES = 5          # seconds for a new target to get from xenstore into the guest
HOLD_S = 2                  # how long it gives nothing after some came back, where guests give
STILL = 6                   # looks in a row at what it has given, a second apart

OPTIONS = "loglevel=5 panic=-1 mitigations=off sysrq_always_enabled=1"
CONFIG = """
name = "{name}"
type = "{kind}"
kernel = "/boot/{kernel}/{image}"
ramdisk = "/boot/{kernel}/{initrd}"
extra = "{options}"
memory = {memory}
maxmem = {maxmem}
vcpus = {vcpus}
cpus = {cpus}
on_poweroff = "destroy"
on_reboot = "destroy"
on_crash = "destroy"
on_watchdog = "destroy"
"""
HVM_CONFIG = """
vga = "none"
vnc = 0
usb = 0
serial = "file:/var/log/xen/console/hvm-{name}.log"
"""
NEAR, FAR = 10, 20          # distances of virtual nodes
# Each vCPU is a package of its own: Linux wonders at two of one on two nodes.
PACKAGES = 'cpuid = "host,htt=0,cmplegacy=0,nc=0,apicidsize=0"'
DEVICE = "/sys/devices/system/xen_memory/xen_memory0"
LANDED = f"""
cd {DEVICE}
read now rest </proc/uptime; end=$((${{now%%.*}} + %d))
while [ ${{now%%.*}} -le $end ]; do
	read target <target_kb; read current <info/current_kb; read now rest </proc/uptime
	[ $((target / 4)) != $(((current + %s) / 4)) ] || exit 0
	usleep 50000
done
echo "current_kb is $current, target_kb is $target"; exit 1
"""


def vnuma(vnodes, pnodes, vcpus):
    """Return the lines of a configuration for virtual nodes of so many MiB, and the vCPUs dealt out to them.

    They lie on these of the machine's nodes by turns.
    """
    nodes = []
    for i, mib in enumerate(vnodes):
        distances = ",".join(str(NEAR if i == j else FAR) for j in range(len(vnodes)))
        options = [f"pnode={pnodes[i % len(pnodes)]}", f"size={mib}", f"vdistances={distances}"]
        if own := range(i, vcpus, len(vnodes)):
            options.append(f"vcpus={','.join(map(str, own))}")
        nodes.append(options)
    return f"vnuma = {json.dumps(nodes)}\n{PACKAGES}\n" if nodes else ""


class GuestError(Exception):
    """The guest died, or hangs."""


class Spawned:
    """A command that runs in the background of a guest."""

    def __init__(self, guest, command):
        self._guest = guest
        self._command = command
        self._id = guest.send(command)
        self._answer = None

    def wait(self, timeout, check=True):
        """Wait for its end and return what it printed."""
        if self._answer is None:
            self._answer = self._guest.receive(self._id, timeout, self._command)
        return result(f"{self._guest.name}: {self._command}", *self._answer, check)

    def output(self):
        """Return what it has printed up to now."""
        if self._answer is None and not self._guest.answered(self._id):
            return self._guest.run(f"cat /run/jobs/{self._id}.out 2>/dev/null", check=False) or self._settled()
        return self.wait(60, check=False)

    def _settled(self):
        """Return the output of a command that may have ended between two looks."""
        return self.wait(60, check=False) if self._guest.answered(self._id) else ""

    def kill(self):
        """End it, and all that it started."""
        if self._answer is None and not self._guest.answered(self._id):
            self._guest.run(f"kill -KILL -- -$(cat /run/jobs/{self._id}.pid)", check=False)


class Guest:
    """A domain of the host. `name` is its name in Xen; sizes are MiB.

    With `vnodes` its memory are virtual nodes of these sizes, one after the other, on the machine's by turns, or
    on `pnodes` of these. No PV guest can have them.
    """

    _serial = count(1)

    def __init__(self, lab, kind, kernel, memory=512, maxmem=None, vcpus=1, name=None, cmdline="", config="",
                 initrd="initrd", cpus="1", vnodes=(), pnodes=None):
        self.lab = lab
        self.host = lab.host
        self._failing = False
        self.kind, self.kernel, self.vcpus = kind, kernel, vcpus
        self.initrd, self.cpus = initrd, cpus
        self.memory = sum(vnodes) or memory
        self.maxmem = maxmem or self.memory
        self.name = f"{name or kind}-{next(self._serial)}"
        self.domid = self._path = None      # until it is created
        self._cmdline = cmdline
        self._config = config + vnuma(vnodes, pnodes or range(lab.host.machine.nodes), vcpus)
        self._xl = "LD_PRELOAD=/lib/vnuma.so xl" if vnodes and kind == "pvh" else "xl"
        self._ids = count(1)
        self._ended = False
        self.booted = False
        self._looked = 0
        self._expected_target = None

    # From creation to end

    def create(self, paused=False):
        """Build the domain; it boots while this returns."""
        hvm = self.kind == "hvm"
        options = f"{'console=ttyS0 pci=noearly' if hvm else 'console=hvc0'} {OPTIONS} {self._cmdline}"
        config = self._config + (CONFIG + (HVM_CONFIG if hvm else "")).format(
            name=self.name, kind=self.kind, kernel=self.kernel, image="vmlinuz" if hvm else "vmlinux",
            initrd=self.initrd, options=options.strip(),
            memory=self.memory, maxmem=self.maxmem, vcpus=self.vcpus, cpus=json.dumps(self.cpus))
        path = f"/run/{self.name}.cfg"
        self.host.dom0(f"cat > {path} <<'END'\n{config}\nEND\n{self._xl} create {'-p' if paused else ''} {path}",
                       timeout=180)
        self._found()

    def _found(self):
        """Learn the domain's id, and listen to its answers."""
        self.domid = int(self.host.dom0(f"xl domid {self.name}"))
        self._path = f"/local/domain/{self.domid}"
        for path in self._watched():
            self.host.store.watch(path)

    def _watched(self):
        return f"{self._path}/data/agent", f"{self._path}/data/rep"

    def boot(self):
        """Wait until the agent answers."""
        self._wait(self._started, BOOT_TIMEOUT, "its agent to start")
        self.run("true", timeout=BOOT_TIMEOUT)
        self._target_offset = self._xenstore_target() - self._target_kb()
        self.booted = True

    def _started(self):
        """Whether the agent has said so, looked up each time that its watch fires."""
        agent, store = f"{self._path}/data/agent", self.host.store
        if agent not in store.fired:
            return False
        store.forget(agent)
        return store.exists(agent)

    def destroy(self):
        if not self._ended:
            self._ended = True
            self._forget()
            self.host.dom0(f"xl destroy {self.name}", check=False)
            self.lab.forget(self)

    def _forget(self):
        for path in self._watched() if self._path else ():
            with contextlib.suppress(XenstoreError):    # xenstored may have forgotten it with the domain
                self.host.store.unwatch(path)
        self.host.store.forget(self._path)

    def pause(self):
        self.host.dom0(f"xl pause {self.name}")

    def unpause(self):
        self.host.dom0(f"xl unpause {self.name}")

    def save(self, path, timeout=180):
        """Save the guest to a file in dom0; it is gone until restore()."""
        self._forget()
        self.booted = False
        self.host.dom0(f"xl save {self.name} {path}", timeout=timeout)

    def checkpoint(self, path, timeout=180):
        """Save the guest to a file in dom0; it goes on in the domain that it has."""
        self.host.dom0(f"xl save -c {self.name} {path}", timeout=timeout)

    def restore(self, path, timeout=180):
        self.host.dom0(f"xl restore {path}", timeout=timeout)
        self._found()
        self.booted = True

    def migrate(self, timeout=240, receive="xl migrate-receive"):
        """Migrate the guest, as it runs, to this same host; `receive` is the command at the other end."""
        self._forget()
        self.booted = False
        self.host.dom0(f"xl migrate -s '' {self.name} {shlex.quote(receive)}", timeout=timeout)
        self._found()
        self.booted = True

    def kexec(self, command):
        """Have the guest boot another kernel in the domain that it has, and wait until its agent answers."""
        agent = f"{self._path}/data/agent"
        self.host.store.remove(agent)
        self.booted = False
        self.send(command)
        # Xen's tools make its part of xenstore anew meanwhile, of which no watch tells.
        self.lab.wait(lambda: self.host.store.exists(agent), BOOT_TIMEOUT, f"{self.name}'s next kernel to start")
        self._forget()
        self._found()
        self.boot()

    # Commands

    def exists(self):
        return self.host.store.exists(f"{self._path}/name")

    def _wait(self, predicate, timeout, what):
        """Wait for something of the guest; its death, or a report on a console, ends that."""
        timeout *= self.lab.slow
        end = time.monotonic() + timeout
        host = self.host
        while True:
            arrivals = host.arrivals
            if predicate():
                return
            self.lab.look()
            if time.monotonic() - self._looked > LIVENESS:
                self._looked = time.monotonic()
                if not self.exists():
                    self._ended = True
                    raise GuestError(f"{self.name} died while waiting for {what}")
            left = end - time.monotonic()
            if left <= 0:
                self._ask_what_hangs()
                raise GuestError(f"{self.name} hangs: waited {timeout} s for {what}")
            with host.condition:
                host.condition.wait_for(lambda: host.arrivals != arrivals, min(left, LIVENESS))

    def _ask_what_hangs(self):
        """Have its kernel tell on the console what each task does and where memory is, if it may."""
        with contextlib.suppress(HostError, Timeout):
            self.host.dom0("; ".join(f"xl sysrq {self.name} {key}; sleep 1" for key in ASKED), check=False)
            time.sleep(TELLS_WITHIN)

    def send(self, command):
        """Hand a command to the agent and return its id (init/xenbus.c tells how)."""
        serial = next(self._ids)
        data = command.encode()
        base = f"{self._path}/data/req/{serial}"
        pieces, last = divmod(len(data), PIECE)
        for i in range(pieces):
            self.host.store.write(f"{base}/{i}", data[i * PIECE:(i + 1) * PIECE])
        self.host.store.write(f"{base}/end", b"%d\n%b" % (pieces, data[len(data) - last:]))
        return serial

    def answered(self, serial):
        """Whether a command has ended."""
        return self.host.store.exists(f"{self._path}/data/rep/{serial}/end")

    def receive(self, serial, timeout, what):
        """Wait for a command's end and return (status, output, errors)."""
        end = f"{self._path}/data/rep/{serial}/end"
        self._wait(lambda: end in self.host.store.fired or self._slow_look(end), timeout, f"the end of: {what}")
        store = self.host.store
        base = end.removesuffix("/end")
        header, _, last = store.read(end).partition(b"\n")
        pieces, status, out, err = map(int, header.split())
        data = b"".join(store.read(f"{base}/{i}") for i in range(pieces)) + last
        store.remove(base)
        store.forget(base)
        return status, data[:out].decode(errors="replace"), data[out:out + err].decode(errors="replace")

    def _slow_look(self, end):
        """Now and then look at the answer itself: a watch may have fired before a restore."""
        return time.monotonic() - self._looked > LIVENESS and self.host.store.exists(end)

    def run(self, command, timeout=60, check=True):
        """Run a shell command in the guest and return what it printed."""
        return result(f"{self.name}: {command}", *self.receive(self.send(command), timeout, command), check)

    def spawn(self, command):
        """Start a shell command in the guest's background."""
        return Spawned(self, command)

    # The driver, and what it shows

    def load(self, parameters="", upkeep=True):
        """Load the driver; without upkeep that is off before the first of it is due, a second later."""
        rests = "" if upkeep else f" && cd {DEVICE}/upkeep && echo 0 > heal && echo 0 > coalesce && echo 0 > even"
        if self.lab.elastic:
            parameters += " elastic=1"
            rests += f" && cd {DEVICE}/elastic && echo 200 > age_ms && echo {HOLD_S} > hold_s"
        # Of each page that is ballooned out Xen is asked whether it is, which takes long in emulation.
        self.run(f"insmod /xen-balloon.ko {parameters}{rests}", timeout=240)
        if self.lab.faults:
            self._have_allocations_fail(self.lab.faults)

    def unload(self):
        if self.lab.elastic:
            self.lab.given += int(self.run("awk '$1 == \"given\" {print $2}' /sys/kernel/debug/xen-balloon/stats"))
        self._remove()
        self.count_faults()

    def _remove(self):
        # For want of memory the kernel would leave our probe where it is, with a WARNING.
        probes_off = f"echo 0 > {PROBES} && " if self._failing else ""
        self.run(f"{probes_off}rmmod xen_balloon", timeout=120)

    def have_loads_fail(self):
        """Where allocations are to fail they do from now on while the driver is loaded, too: it lies where it lay.

        Of those 1 %: a load asks for so many that with more none succeeds. Returns the shell command that tells
        whether insmod, with its errors in /said, failed for that.
        """
        if not self.lab.faults:
            return "false"
        self.load()
        self._remove()
        for kind in FAULTS:
            self.run(f"echo 1 > /sys/kernel/debug/{kind}/probability")
        # The latter where device_add() had no memory for a name.
        return "grep -q -e 'Cannot allocate memory' -e 'Invalid argument' /said"

    def _have_allocations_fail(self, percent):
        """From now on that part of the allocations that the driver asks for, or has others ask for, fails."""
        size, base = self.run("awk '$1 == \"xen_balloon\" {print $2, $6}' /proc/modules").split()
        # Who looks at the driver is to see something.
        opens = [int(at, 16) for at in self.run(f"awk '$3 ~ /^({OPENS})$/ && /xen_balloon/ {{print $1}}' "
                                                "/proc/kallsyms").split()]
        where = "; ".join(f"echo {at} > {name}" for name, at in (
            ("require-start", int(base, 16)), ("require-end", int(base, 16) + int(size)),
            ("reject-start", min(opens)), ("reject-end", max(opens) + OPEN_BYTES)))
        for kind in FAULTS:
            self.run(f"cd /sys/kernel/debug/{kind}; {where}; echo N > ignore-gfp-wait; echo 0 > verbose; "
                     f"[ ! -e min-order ] || echo 0 > min-order; echo {MANY} > times; echo {percent} > probability")
        self._failing = True

    def count_faults(self):
        """None fails any more; the lab is told how many did."""
        if not self._failing:
            return
        for kind in FAULTS:
            left = self.run(f"cd /sys/kernel/debug/{kind}; echo 0 > probability; cat times")
            self.lab.failed[kind] = self.lab.failed.get(kind, 0) + MANY - int(left)
        self.run(f"echo 1 > {PROBES}")
        self._failing = False

    def _xenstore_target(self):
        return int(self.host.store.read(f"{self._path}/memory/target"))

    def _target_kb(self):
        """Return the guest's own target; 0 in a guest without a balloon driver."""
        return int(self.run(f"cat {DEVICE}/target_kb 2>/dev/null || echo 0"))

    def mem_set(self, size):
        """xl mem-set; the size in its units, such as "256m" or "262148k"."""
        self.host.dom0(f"xl mem-set {self.name} {size}")
        self._expected_target = self._xenstore_target() - self._target_offset

    def mem_max(self, size):
        self.host.dom0(f"xl mem-max {self.name} {size}")

    def target_kb(self, size):
        """Write the guest's own target."""
        self._expected_target = None
        self.run(f"echo {size} > {DEVICE}/target_kb")

    def _given(self):
        """What the guest has given, where that counts as what it has, in the shell's words."""
        return f"$(cat {DEVICE}/elastic/given_kb 2> /dev/null || echo 0)" if self.lab.elastic else "0"

    def given_kb(self):
        """What the guest has given, where that counts as what it has; else 0."""
        return int(self.run(f"echo {self._given()}")) if self.lab.elastic else 0

    def still(self):
        """Wait until it has given what is idle, and gives no more, where guests do."""
        if not self.lab.elastic:
            return
        seen = []
        # Else it would give nothing for longer each time.
        self.run(f"cd {DEVICE}/elastic && echo {HOLD_S} > hold_s; true")

        def same():
            seen.append(self.given_kb())
            return seen[-STILL:] == [seen[-1]] * STILL

        self.lab.wait(same, 60, f"{self.name} to give no more", every=1)

    def current_kb(self):
        return int(self.run(f"echo $(($(cat {DEVICE}/info/current_kb) + {self._given()}))"))

    def landed(self, timeout=60):
        """Wait until current is the target that the guest shows, to the page."""
        if self._expected_target is not None:
            wanted, self._expected_target = self._expected_target // 4, None
            end = time.monotonic() + TARGET_ARRIVES * self.lab.slow
            while self._target_kb() // 4 != wanted and time.monotonic() < end:
                time.sleep(0.05)
        limit = timeout * self.lab.slow
        said = self.run(LANDED % (limit, self._given()), timeout=timeout * 2 + 60, check=False)
        if said:
            self.lab.fail(f"{self.name} did not land within {limit} s: {said.strip()}")
        self.still()

    def xen_pages(self):
        """Return Xen's own count of this guest's pages, and what it has given where that counts as what it has."""
        return self.host.domain_pages(self.domid) + self.given_kb() // 4

    def meter(self):
        """Return the Map of the guest's memory, seen from outside."""
        return meter.measure(self.lab, self)

    def vmstat(self):
        return {name: int(value) for name, value in map(str.split, self.run("cat /proc/vmstat").splitlines())}

    def meminfo(self):
        return {name: int(value) for name, value in re.findall(r"(\S+): +(\d+)", self.run("cat /proc/meminfo"))}

    def dmesg(self):
        return self.run("dmesg")
