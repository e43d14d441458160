#!/usr/bin/env python3
"""cosec config -q beside docker compose config -q, in one run: compare_load.py PROGRAM [DIRECTORY]

Projects of 2, 10, 100 and 1,000 services as in crates/core/benches, and the Compose files below DIRECTORY one after the
other. Each is asked five times in turn; the fastest of each counts, as the machine may have other work."""

import pathlib
import resource
import subprocess
import sys
import tempfile
import time

TAIL = (
    "secrets: {db_password: {file: ./db}, api_key: {file: ./key}}\n"
    "volumes: {data: {}}\n"
    "networks: {front: {}, back: {}}\n"
)


def seconds(command, files):
    start = time.perf_counter()
    for file in files:
        subprocess.run(
            [*command, "-f", str(file), "config", "-q"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30)),
        )
    return time.perf_counter() - start


def compare(name, files, program, rounds):
    both = {"cosec": [program], "docker compose": ["docker", "compose"]}
    best = {who: min(times) for who, times in zip(both, zip(*[
        [seconds(command, files) for command in both.values()] for _ in range(rounds)
    ]))}
    ours, theirs = best["cosec"], best["docker compose"]
    print(f"| {name} | {ours * 1000:.0f} ms | {theirs * 1000:.0f} ms | {theirs / ours:.0f} × |", flush=True)


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    service = (pathlib.Path(__file__).parent.parent / "crates/core/benches/service.yaml").read_text()
    print("| Project | cosec | docker compose | |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="cosec-bench-") as directory:
        for count in (2, 10, 100, 1000):
            text = "services:\n" + "".join(service.replace("NUMBER", str(n)) for n in range(count)) + TAIL
            file = pathlib.Path(directory) / f"{count}.yaml"
            file.write_text(text)
            compare(f"{count} services, {len(text) // 1000} KB", [file], program, 5)
    if len(sys.argv) > 2:
        files = sorted(path for path in pathlib.Path(sys.argv[2]).rglob("*.y*ml"))
        compare(f"{len(files)} real files, one by one", files, program, 1)


main()
