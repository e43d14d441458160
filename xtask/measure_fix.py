#!/usr/bin/env python3
"""What `cosec fix --unsafe --write` does to real projects: measure_fix.py CORPUS PROGRAM

CORPUS holds `files/` and `labels.tsv`. Each project is copied into a repository of its own, and each of its YAML files
fixed, fixed once more and taken back. docker compose is asked before and after. Counts findings and the labelled
literals; exit code 1 if anything is not as it should be."""

import collections
import csv
import json
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

DONE = re.compile(r"^(\S+):(\d+):\d+ ([a-z-]+): ")
LEFT = re.compile(r"^(\S+):(\d+):\d+ ([a-z-]+): left as it is, (.*)$")

# What a reason is about, by a part of it.
REASONS = {
    "the image is not known to read": "the image is not known to read it from a file",
    "the image is built here": "the image is built here",
    "no variable of `environment:`": "in `command:`, a label or another place than `environment:`",
    "an anchor": "an anchor, an alias or a merge key brings it",
    "comes from a variable": "half of it is a variable",
    "which is included": "an included file brings it",
    "by `extends` from": "an extended file brings it",
    "in the container": "a command or health check in the container reads it",
    "no service reads it": "an env file for `${…}` only: it is moved from where that is",
    "`env_file:`": "an env file has to do with it",
    "is not known to read": "a service that reads the env file is not known to read it from a file",
    "asks for": "an env file's variable that the Compose file asks for, too",
    "has variables, escapes": "an env file's value of variables, escapes or lines",
    "has no `image:`": "another file says which image it is",
    "Compose file that builds": "a Dockerfile that no Compose file here builds with",
    "no RUN names": "no RUN names it",
    "the Dockerfile": "something in its Dockerfile",
    "Dockerfile": "something in its Dockerfile",
    "it would bring": "it would bring another finding",
    "dollars": "dollars that may be meant",
    "of that name is set": "dollars that may be meant",
}


def run(command, directory):
    return subprocess.run(
        command,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30)),
    )


def texts(directory):
    """All files but git's own and what undo needs."""
    own = (".git", ".cosec")
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not any(part in own for part in path.relative_to(directory).parts)
    }


def config(directory, file):
    """The model; nothing if Compose refuses the file."""
    ran = run(["docker", "compose", "-f", file, "config", "--format", "json"], directory)
    return json.loads(ran.stdout) if ran.returncode == 0 else None


def differs(old, new):
    """Where two models differ otherwise than by variables that became files, modes and secrets."""
    secrets = (old.pop("secrets", {}), new.pop("secrets", {}))
    if any(new_secret != secrets[0][name] for name, new_secret in secrets[1].items() if name in secrets[0]):
        return "secrets"
    services = (old.pop("services", {}), new.pop("services", {}))
    if old != new or services[0].keys() != services[1].keys():
        return "the project"
    for name, before in services[0].items():
        after = services[1][name]
        had, has = before.pop("environment", None) or {}, after.pop("environment", None) or {}
        for part in (before, after):
            part.pop("secrets", None)
            part.pop("build", None)
        added = {key: value for key, value in has.items() if key not in had}
        for key, value in had.items():
            if key not in has and not any(re.sub("_+FILE$", "", own) == key for own in added):
                return f"services.{name}.environment.{key} is gone"
            if key in has and has[key] != value and "$" not in value:
                return f"services.{name}.environment.{key}"
        if not all(re.search("_FILE$", key) and value.startswith("/run/secrets/") for key, value in added.items()):
            return f"services.{name}.environment"
        if before != after:
            return f"services.{name}"
    return None


def reason_of(text):
    return next((short for part, short in REASONS.items() if part in text), text)


def main():
    corpus, program = pathlib.Path(sys.argv[1]), str(pathlib.Path(sys.argv[2]).resolve())
    files = unread = accepted_before = accepted_after = 0
    changed, failed = 0, []
    fixed, refused = {}, {}
    for source in sorted((corpus / "files").iterdir()):
        with tempfile.TemporaryDirectory(prefix="cosec-fix-") as place:
            directory = pathlib.Path(place) / "project"
            shutil.copytree(source, directory)
            run(["git", "init", "--quiet"], directory)
            for path in sorted(path for path in directory.rglob("*") if path.suffix in (".yml", ".yaml")):
                file = str(path.relative_to(directory))
                name = f"{source.name}/{file}"
                before, files = texts(directory), files + 1
                ran = run([program, "fix", "--unsafe", "--write", file], directory)
                note = lambda found, into, value: into.setdefault(
                    (f"{source.name}/{found[1]}", int(found[2]), found[3]), value
                )
                for line in ran.stdout.splitlines():
                    if found := DONE.match(line):
                        note(found, fixed, True)
                for line in ran.stderr.splitlines():
                    if found := LEFT.match(line):
                        note(found, refused, reason_of(found[4]))
                after = texts(directory)
                if ran.returncode == 2 and after == before:
                    unread += 1
                    continue
                if ran.returncode != 0:
                    failed.append(f"{name}: exit {ran.returncode}")
                if after == before:
                    continue
                changed += 1
                new = config(directory, file)
                again = run([program, "fix", "--unsafe", "--write", file], directory)
                if again.returncode != 0 or texts(directory) != after:
                    failed.append(f"{name}: a second run changes more")
                if run([program, "fix", "--undo", file], directory).returncode != 0 or texts(directory) != before:
                    failed.append(f"{name}: not taken back byte for byte")
                    shutil.rmtree(directory)
                    shutil.copytree(source, directory)
                    run(["git", "init", "--quiet"], directory)
                old = config(directory, file)
                accepted_before += old is not None
                accepted_after += new is not None
                if (old is None) != (new is None):
                    failed.append(f"{name}: accepted {old is not None} before and {new is not None} after")
                elif old is not None and (where := differs(old, new)):
                    failed.append(f"{name}: {where} is something else")
    refused = {key: why for key, why in refused.items() if key not in fixed}
    print(f"{files} files, {unread} of them unreadable, {changed} changed; accepted by docker compose before: {accepted_before}, after: {accepted_after}")
    print(f"findings: {len(fixed)} fixed, {len(refused)} left, {len(failed)} failed")
    fixed_at = {key[:2] for key in fixed}
    left_at = {key[:2]: why for key, why in refused.items()}
    literals, why_left = collections.Counter(), collections.Counter()
    with (corpus / "labels.tsv").open() as labels:
        for label in csv.DictReader(labels, delimiter="\t", quoting=csv.QUOTE_NONE):
            if label["class"] != "L":
                continue
            lines = range(int(label["line"]), int(label["end_line"] or label["line"]) + 1)
            places = [(label["file"], line) for line in [*lines, int(label["alt_line"] or 0)]]
            done = any(place in fixed_at for place in places)
            why = next((left_at[place] for place in places if place in left_at), "no Compose file here reads it" if label["kind"] == "env" else "no rule has a fix for it")
            literals[label["kind"], done] += 1
            why_left[label["kind"], why] += not done
    for kind in ("compose", "env", "dockerfile"):
        print(f"literals, {kind}: {literals[kind, True]} moved, {literals[kind, False]} left")
    for (kind, why), count in why_left.most_common():
        if count:
            print(f"| {kind} | {why} | {count} |")
    print("\n".join(failed))
    sys.exit(1 if failed else 0)


main()
