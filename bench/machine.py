"""What a benchmark ran on."""

import platform
from pathlib import Path


def machine():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        return f"{len(names)} x {names[0]}"
    except OSError:
        return platform.processor()
