"""Reads the seeded defects and writes mutated copies of the sources they name; scripts/mutations calls it. README.md says how they are written."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TEST = re.compile(r'(regress|isolation|integration) [a-z0-9_]+$|unit [a-z0-9]+_test \S+$')


class Defect:
    def __init__(self, name):
        self.name, self.broken, self.tests, self.changes = name, None, [], []
        with open(os.path.join(HERE, name + '.mutation'), encoding='utf-8') as file:
            self.read(file.read().split('\n'))
        if not self.broken or not self.tests or not self.changes:
            self.wrong('needs a line "broken:", a line "test:" and a change')

    def wrong(self, what):
        sys.exit(f'{self.name}: {what}')

    def read(self, lines):
        target = old = new = None
        for line in lines + ['']:
            if line[:1] in (' ', '-', '+') and target:
                old += [line[1:]] if line[0] in ' -' else []
                new += [line[1:]] if line[0] in ' +' else []
                continue
            if target and old:
                self.changes.append((target, '\n'.join(old) + '\n', '\n'.join(new) + '\n' if new else ''))
            if line.startswith('broken: '):
                self.broken = line[len('broken: '):]
            elif line.startswith('test: ') and TEST.match(line[len('test: '):]):
                self.tests.append(line[len('test: '):])
            elif os.path.splitext(line)[1] in ('.c', '.cpp') and re.match(r'(extension|src)/', line):
                target = line
            elif line:
                self.wrong(f'cannot read "{line}"')
            old, new = [], []

    def mutate(self, directory):
        sources = {}
        for target, old, new in self.changes:
            if target not in sources:
                with open(os.path.join(ROOT, target), encoding='utf-8') as file:
                    sources[target] = file.read()
            # Whole lines, in one place only.
            found = ('\n' + sources[target]).count('\n' + old)
            if found != 1:
                self.wrong(f'its text is in {target} {found} times: "{old.splitlines()[0].strip()}"')
            sources[target] = ('\n' + sources[target]).replace('\n' + old, '\n' + new)[1:]
        for target, text in sources.items():
            path = os.path.join(directory, target)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
            print(target)


def main(command, *arguments):
    if command == 'list':
        names = arguments or sorted(name[:-len('.mutation')] for name in os.listdir(HERE) if name.endswith('.mutation'))
        for name in names:
            if not os.path.exists(os.path.join(HERE, name + '.mutation')):
                sys.exit(f'there is no tests/mutations/{name}.mutation')
            defect = Defect(name)
            for test in defect.tests:
                print(name, test, defect.broken, sep='\t')
    else:
        Defect(arguments[0]).mutate(arguments[1])


main(*sys.argv[1:])
