"""Expectations of steps: functions that take an outcome and answer what is wrong with it, or nothing."""
import math


def describe(outcome):
    text = str(outcome.get('ok', outcome))
    return text if len(text) < 300 else text[:300] + '...'


def differs(path, expected, found):
    """Where `found` lacks something of `expected`; numbers may be off by rounding, more members are fine."""
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            return f'{path} is {found!r}'
        problems = (differs(f'{path}.{name}', value, found.get(name)) for name, value in expected.items())
        return next(filter(None, problems), None)
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return f'{path} is {found!r}, not {expected!r}'
        problems = (differs(f'{path}[{i}]', *pair) for i, pair in enumerate(zip(expected, found)))
        return next(filter(None, problems), None)
    if type(expected) in (int, float) and type(found) in (int, float):
        return None if math.isclose(expected, found, rel_tol=1e-6, abs_tol=1e-6) else f'{path} is {found!r}, not {expected!r}'
    return None if type(expected) is type(found) and expected == found else f'{path} is {found!r}, not {expected!r}'


def ok(**members):
    """Success, with these members at least."""
    def check(outcome):
        if 'ok' not in outcome:
            return f'failed: {describe(outcome)}'
        return differs('answer', members, outcome['ok']) if members else None
    return check


def lacks(path):
    """Success, without the member at the end of the path (dots between)."""
    def check(outcome):
        found = outcome.get('ok', {})
        for name in path.split('.'):
            if not isinstance(found, dict) or found.get(name) is None:
                return None
            found = found[name]
        return f'{path} is there: {found!r}'
    return check


def error(code, status, *parts):
    """This error, its message holding each of the parts."""
    def check(outcome):
        if (outcome.get('error'), outcome.get('status')) != (code, status):
            return f'not {code} ({status}): {describe(outcome)}'
        return next((f'{part!r} is not in {outcome["message"]!r}' for part in parts if part not in outcome['message']), None)
    return check


def invalid(*parts):
    return error('ValidationException', 400, *parts)


def keys(expected, member='vectors'):
    """Success with entries of these keys, in any order."""
    def check(outcome):
        if 'ok' not in outcome:
            return f'failed: {describe(outcome)}'
        found = sorted(entry['key'] for entry in outcome['ok'][member])
        return None if found == sorted(expected) else f'keys {found[:20]}, not {sorted(expected)[:20]}'
    return check


def distances(expected):
    """Success with these distances, in this order."""
    def check(outcome):
        if 'ok' not in outcome:
            return f'failed: {describe(outcome)}'
        found = [entry.get('distance') for entry in outcome['ok']['vectors']]
        return differs('distances', expected, found)
    return check


def entries(expected):
    """Success with exactly these entries {key: entry}, in any order."""
    def check(outcome):
        if 'ok' not in outcome:
            return f'failed: {describe(outcome)}'
        found = {entry['key']: entry for entry in outcome['ok']['vectors']}
        if set(found) != set(expected):
            return f'keys {sorted(found)[:20]}, not {sorted(expected)[:20]}'
        return next(filter(None, (differs(key, value, found[key]) for key, value in expected.items())), None)
    return check


def pages(low, high):
    return lambda outcome: None if low <= outcome.get('pages', 0) <= high else f"{outcome.get('pages')} pages, not {low} to {high}"


def attempts(count):
    return lambda outcome: None if outcome.get('attempts') == count else f"{outcome.get('attempts')} attempts, not {count}"


def every(*checks):
    return lambda outcome: next(filter(None, (check(outcome) for check in checks)), None)
