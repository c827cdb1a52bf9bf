"""machine.py DEAR_CALLS NS: what results depend on, as a line of JSON: processor, kernel, compiler, libraries, and
what a system call costs, natively and with NS asked for."""
import glob
import json
import os
import platform
import re
import subprocess
import sys


def output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return (done.stdout + done.stderr).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def first(pattern, text):
    found = re.search(pattern, text, re.M)
    return found[1] if found else "unknown"


def read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def mitigations():
    found = {os.path.basename(path): read(path) for path in glob.glob("/sys/devices/system/cpu/vulnerabilities/*")}
    active = {name: state for name, state in sorted(found.items()) if state.startswith("Mitigation")}
    return "; ".join(f"{name}: {state.removeprefix('Mitigation: ')}" for name, state in active.items()) or "none"


def boost_version():
    source = "#include <boost/version.hpp>\nBOOST_LIB_VERSION"
    preprocessed = subprocess.run(["c++", "-E", "-P", "-x", "c++", "-"], input=source, capture_output=True,
                                  text=True).stdout
    return first(r'"([0-9_]+)"', preprocessed).replace("_", ".")


calls, dear = sys.argv[1:]
cost = re.search(r"costs (\d+) ns here, (\d+) ns", output(calls, dear, "true"))
print(json.dumps({"machine": {
    "processor": first(r"^model name\s*: (.*)", read("/proc/cpuinfo")),
    "cores": os.cpu_count(),
    "virtual_machine": "yes" if " hypervisor" in read("/proc/cpuinfo") else "no",
    "kernel": platform.release(),
    "mitigations": mitigations(),
    "compiler": first(r"^(.*)", output("c++", "--version")),
    "boost": boost_version(),
    "liburing": output("pkg-config", "--modversion", "liburing"),
    "openssl": output("pkg-config", "--modversion", "openssl"),
    "native_call_ns": int(cost[1]) if cost else None,
    "dear_call_ns": int(cost[2]) if cost else None,
    "load_before": round(os.getloadavg()[0], 2),
}}))
