"""What a process used: CPU time of all its threads and its memory, from the kernel."""

import ctypes
import threading
import time

_libc = ctypes.CDLL(None, use_errno=True)


class CpuClock:
    """CPU seconds of a process, all threads, ended ones included; nanoseconds, unlike the ticks of /proc/PID/stat."""

    def __init__(self, pid):
        clock = ctypes.c_int()
        if _libc.clock_getcpuclockid(pid, ctypes.byref(clock)) != 0:
            raise ProcessLookupError(pid)
        self._clock = clock.value

    def seconds(self):
        return time.clock_gettime(self._clock)


class Stopwatch:
    """Wall and CPU seconds of a backend from construction on."""

    def __init__(self, pid):
        self._cpu = CpuClock(pid)
        self._cpu_start, self._wall_start = self._cpu.seconds(), time.perf_counter()

    def read(self):
        return time.perf_counter() - self._wall_start, self._cpu.seconds() - self._cpu_start


def memory(pid):
    """Bytes: resident, its part that is shared memory, and the largest resident since the last reset."""
    sizes = {}
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            name, _, rest = line.partition(":")
            if name in ("VmRSS", "RssShmem", "VmHWM"):
                sizes[name] = int(rest.split()[0]) * 1024
    return sizes["VmRSS"], sizes["RssShmem"], sizes["VmHWM"]


def reset_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


class PhaseWatch(threading.Thread):
    """CPU seconds of a backend by the phase that s3v_progress shows, polled through a session of its own."""

    def __init__(self, connection, pid, interval=0.01):
        super().__init__(daemon=True)
        self._connection, self._pid, self._interval = connection, pid, interval
        self._clock, self._done = CpuClock(pid), threading.Event()
        self._since, self._phase = self._clock.seconds(), "starting"
        self._seconds = {}

    def run(self):
        while not self._done.wait(self._interval):
            now = self._clock.seconds()
            shown = self._connection.run(f"SELECT phase FROM s3v_progress WHERE pid = {self._pid}")
            if shown and shown[0][0] != self._phase:
                self._close_phase(now)
                self._phase = shown[0][0]

    def _close_phase(self, now):
        self._seconds[self._phase] = self._seconds.get(self._phase, 0.0) + now - self._since
        self._since = now

    def finish(self):
        """Seconds by phase; what came before the first one is "starting", publishing belongs to the last."""
        now = self._clock.seconds()
        self._done.set()
        self.join()
        self._close_phase(now)
        return self._seconds
