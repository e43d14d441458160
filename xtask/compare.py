#!/usr/bin/env python3
"""Compares cosec with other secret finders on a labelled corpus: one run, same files, as Markdown.

compare.py CORPUS COSEC [--compose-lint P] [--detect-secrets P] [--gitleaks P] [--trufflehog P] [--dclint P] [--runs N]

CORPUS holds files/, labels.tsv and score.py. A tool that is not named or not there is said to be missing. Of compose-lint
only the rules for credentials count (CL-0020, CL-0021). Times are the least of N runs over all Compose files of the corpus, and of as many more as
fit into three seconds: a short run would else have fewer quiet moments than a long one. On a busy machine trust the CPU's. Memory is the peak of the whole process. A second table lints ten and a hundred copies of the
corpus, to see that a file costs the same among many.
"""
import argparse, json, os, re, resource, shutil, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser()
ap.add_argument('corpus')
ap.add_argument('cosec')
PEERS = ['compose-lint', 'detect-secrets', 'gitleaks', 'trufflehog', 'dclint']
for peer in PEERS:
    ap.add_argument(f'--{peer}', default=shutil.which(peer))
ap.add_argument('--runs', type=int, default=5)
a = ap.parse_args()
files = os.path.join(a.corpus, 'files')
tool = {'cosec': os.path.abspath(a.cosec), **{peer: getattr(a, peer.replace('-', '_')) for peer in PEERS}}
tool = {name: os.path.abspath(path) if path and os.sep in path else path for name, path in tool.items()}

labelled = {row.split('\t')[0] for row in open(f'{a.corpus}/labels.tsv').read().splitlines()[1:]}
scratch = tempfile.mkdtemp()
tree = os.path.join(scratch, 'compose')  # the Compose files alone, for the times
compose = []
for directory, _, names in os.walk(files):
    for name in names:
        if re.search(r'compose.*\.ya?ml$', name, re.I):
            path = os.path.relpath(os.path.join(directory, name), files)
            os.makedirs(os.path.join(tree, os.path.dirname(path)), exist_ok=True)
            shutil.copy(os.path.join(files, path), os.path.join(tree, path))
            compose.append(path)

# Up to 8.18 there is no `dir`.
gitleaks = ['detect', '--no-git', '-s', '.']

def run(command, cwd):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True).stdout

def findings(name):
    """(file, line) pairs of a peer over the whole corpus."""
    program = tool[name]
    if name == 'compose-lint':
        out = []
        for file in sorted(labelled):
            if not re.search(r'\.ya?ml$', file): continue
            try: report = json.loads(run([program, '--format', 'json', file], files))
            except ValueError: continue
            out += [(f['file'], f['line']) for f in report['findings'] if f['rule_id'] in ('CL-0020', 'CL-0021')]
        return out
    if name == 'detect-secrets':
        report = json.loads(run([program, 'scan', '--all-files', '.'], files))
        return [(f, hit['line_number']) for f, hits in report['results'].items() for hit in hits]
    if name == 'gitleaks':
        report = os.path.join(scratch, 'found.json')
        run([program, *gitleaks, '-f', 'json', '-r', report, '--exit-code', '0'], files)
        return [(f['File'], f['StartLine']) for f in json.load(open(report))]
    if name == 'trufflehog':
        lines = run([program, 'filesystem', '.', '--json', '--no-verification', '--no-update'], files).splitlines()
        hits = [json.loads(line).get('SourceMetadata', {}).get('Data', {}).get('Filesystem') for line in lines if line.startswith('{')]
        return [(hit['file'], hit.get('line', 1)) for hit in hits if hit]

def measured(command, cwd, runs):
    """Least seconds, least CPU seconds, most MB of so many runs, and of those that fit into three seconds."""
    best, cpu, peak, done, first = 1e9, 1e9, 0, 0, time.monotonic()
    while done < runs or (runs > 1 and time.monotonic() - first < 3):
        done += 1
        start = time.monotonic()
        child = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, _, usage = os.wait4(child.pid, 0)
        best = min(best, time.monotonic() - start)
        cpu = min(cpu, usage.ru_utime + usage.ru_stime)
        peak = max(peak, usage.ru_maxrss)
    return best, cpu, peak / 1024

def timed(name):
    program = tool[name]
    command = {
        # Like the others it finds and no more; as JSON or SARIF it also tries out what can be fixed.
        'cosec': [program, 'lint', '--format', 'github', '.'],
        'compose-lint': [program, '--format', 'json', *compose],
        'detect-secrets': [program, 'scan', '--all-files', '.'],
        'gitleaks': [program, *gitleaks, '-f', 'json', '-r', os.path.join(scratch, 'timed.json'), '--exit-code', '0'],
        'trufflehog': [program, 'filesystem', '.', '--json', '--no-verification', '--no-update'],
        'dclint': [program, '-r', '.'],
    }[name]
    return measured(command, tree, a.runs if name != 'dclint' else 1)

def score(kind, arguments):
    out = run([sys.executable, 'score.py', '--kind', kind, *arguments], a.corpus)
    return re.search(r'precision (\S+) recall (\S+)', out).groups()

print(f'{len(compose)} Compose files; least of {a.runs} runs or more (dclint: one).\n')
print('| Tool | Compose: precision | recall | env files: precision | recall | seconds | CPU seconds | × CPU of cosec | peak MB |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |')
own = None
for name in tool:
    if not tool[name] or not shutil.which(tool[name]):
        print(f'| {name} | not to be had here | | | | | | | |')
        continue
    if name == 'dclint':
        cells = ['no rule for secrets', '', '', '']
    elif name == 'cosec':
        cells = [*score('compose', ['--cosec', tool[name]]), *score('env', ['--cosec', tool[name]])]
    else:
        found = os.path.join(scratch, f'{name}.tsv')
        with open(found, 'w') as out:
            for file, line in findings(name):
                print(os.path.normpath(file), line, 'error', sep='\t', file=out)
        cells = [*score('compose', ['--findings', found]), *score('env', ['--findings', found])]
        if name == 'compose-lint': cells[2:] = ['does not read them', '']
    seconds, cpu, peak = timed(name)
    own = own or cpu
    if name == 'cosec':
        fixes = measured([tool[name], 'lint', '--format', 'json', '.'], tree, a.runs)
    print(f'| {name} | {" | ".join(cells)} | {seconds:.3f} | {cpu:.3f} | {cpu / own:.1f} | {peak:.0f} |', flush=True)

print(f'\ncosec with what can be fixed (`--format json`): {fixes[0]:.3f} s, {fixes[1]:.3f} CPU seconds.')
print('\n| Files | seconds | CPU ms for each file | peak MB |\n| ---: | ---: | ---: | ---: |')
one = min((file for file in compose), key=lambda file: abs(os.path.getsize(os.path.join(tree, file)) - 2000))
seconds, cpu, peak = measured([tool['cosec'], 'lint', '--format', 'json', one], tree, 20)
print(f'| 1 (2 KB) | {seconds:.3f} | {cpu * 1000:.2f} | {peak:.0f} |')
many = os.path.join(scratch, 'many')
os.mkdir(many)
for copies in (1, 10, 100):
    for number in range(len(os.listdir(many)), copies):
        shutil.copytree(tree, os.path.join(many, str(number)), symlinks=True)
    seconds, cpu, peak = measured([tool['cosec'], 'lint', '--format', 'json', '.'], many, a.runs)
    print(f'| {copies * len(compose)} | {seconds:.3f} | {cpu * 1000 / copies / len(compose):.2f} | {peak:.0f} |', flush=True)
shutil.rmtree(scratch)
