#!/usr/bin/env python3
"""Checks tests/faults.md: every fault of the catalogue is there, with tests that still exist or a reason why there are none.

    check_faults.py [faults.md]

What the file looks like is said at its top. Complaints go to standard error, one a line; the last line of standard output is the count.
"""
import re
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
GROUPS = {'A': 21, 'B': 10, 'C': 11, 'M': 13, 'E': 11, 'F': 9, 'G': 10, 'H': 9, 'I': 17}
IDS = [f'{group}{n}' for group, most in GROUPS.items() for n in range(1, most + 1)]
STATES = {'Covered.': 'covered', 'Partly:': 'partly', 'Not covered:': 'not covered'}


def unit_tests(binary):
    """Names of the tests of a binary, from its sources: NAME_test is the folder NAME."""
    names = set()
    for source in (TESTS / binary.removesuffix('_test')).glob('*.cpp'):
        names.update('.'.join(match) for match in re.findall(r'^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)', source.read_text(), re.M))
    return names


def complaints_about(kind, name, details):
    """What is wrong with one reference; `details` are texts in the file, for unit tests their names."""
    if kind == 'unit':
        known = unit_tests(name)
        if not known:
            return [f'{name} has no tests']
        return [f'{name} has no test {test}' for test in details if test not in known] or ([] if details else [f'{name}: which test?'])
    files = {
        'regress': [TESTS.parent / f'regress/sql/{name}.sql', TESTS.parent / f'regress/expected/{name}.out'],
        'isolation': [TESTS / f'isolation/specs/{name}.spec', TESTS / f'isolation/expected/{name}.out'],
        'integration': [TESTS / f'integration/t/{name}.pl'],
    }[kind]
    missing = [f'{file.relative_to(TESTS.parent)} is gone' for file in files if not file.is_file()]
    if missing:
        return missing
    text = files[0].read_text()
    return [f'{files[0].relative_to(TESTS.parent)} has no {detail!r}' for detail in details if detail not in text]


def read_faults(text):
    """(id, lines below its heading) of each fault."""
    parts = re.split(r'^### (\w+) .*$', text, flags=re.M)
    return [(fault, re.split(r'^## ', lines, flags=re.M)[0].strip().splitlines()) for fault, lines in zip(parts[1::2], parts[2::2])]


def check_fault(lines):
    """The state of a fault and what is wrong with its entry."""
    wrong = []
    if not lines or not lines[0].startswith('Holds: '):
        wrong.append('does not begin with what must hold')
    states = [(state, line[len(word):].strip()) for line in lines[1:] for word, state in STATES.items() if line.startswith(word)]
    if len(states) != 1:
        return None, wrong + ['is to be one of: ' + ' '.join(STATES)]
    state, reason = states[0]
    if (state == 'covered') == bool(reason):
        wrong.append(f'{state}: ' + ('needs no reason' if reason else 'needs a reason'))
    references = [line for line in lines if line.startswith('- ')]
    if (state == 'not covered') == bool(references):
        wrong.append(f'{state}, with {len(references)} tests')
    for reference in references:
        match = re.fullmatch(r'- (regress|isolation|integration|unit) (\w+)((?: "[^"]+"| \w+\.\w+)*)', reference)
        if not match:
            wrong.append(f'no reference: {reference}')
            continue
        kind, name, details = match.groups()
        quoted = re.findall(r' "([^"]+)"', details)
        plain = re.findall(r' (\w+\.\w+)(?= |$)', re.sub(r' "[^"]+"', '', details))
        if bool(plain) and kind != 'unit' or bool(quoted) and kind == 'unit':
            wrong.append(f'no reference: {reference}')
            continue
        wrong += complaints_about(kind, name, plain if kind == 'unit' else quoted)
    return state, wrong


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TESTS / 'faults.md'
    text = path.read_text()
    wrong = []
    counts = dict.fromkeys(STATES.values(), 0)
    faults = read_faults(text)
    names = [fault for fault, _ in faults]
    if names != IDS:
        wrong += [f'{fault}: missing' for fault in IDS if fault not in names] or [f'faults are not in order, or twice, or unknown: {sorted(set(names) ^ set(IDS))}']
    for fault, lines in faults:
        state, complaints = check_fault(lines)
        if state:
            counts[state] += 1
        wrong += [f'{fault}: {complaint}' for complaint in complaints]
    count = f'{len(faults)} faults: ' + ', '.join(f'{n} {state}' for state, n in counts.items())
    if count + '.' not in text:
        wrong.append(f'the text does not say "{count}."')
    for complaint in wrong:
        print(f'{path.name}: {complaint}', file=sys.stderr)
    print(count)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
