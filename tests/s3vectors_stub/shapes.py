"""Checks of request members, with the service's messages. A checker takes (value, path, problems) and answers the value.

A member that breaks a constraint becomes one of `problems`; one of the wrong JSON type is a SerializationException.
"""
import re

import numpy as np

from .errors import ServiceError


class Problems(list):
    """(path, what is wrong with it), to be told together."""

    def constraint(self, path, text, length=None):
        subject = f"Value at '{path}'" if length is None else f"Value with length {length} at '{path}'"
        self.append((path, f'{subject} failed to satisfy constraint: Member must {text}'))

    def raise_any(self):
        if self:
            count = f"{len(self)} validation error{'s' if len(self) > 1 else ''} detected. "
            raise ServiceError('ValidationException', count + '; '.join(text for _, text in self),
                               [{'path': path, 'message': text} for path, text in self])


def wrong_type(path, wanted):
    return ServiceError('SerializationException', f"Value at '{path}' must be {wanted}", status=400)


def text(low, high, pattern=None):
    compiled = re.compile(pattern) if pattern else None

    def check(value, path, problems):
        if not isinstance(value, str):
            raise wrong_type(path, 'a string')
        if not low <= len(value) <= high:
            problems.constraint(path, f'have length between {low} and {high}, inclusive', len(value))
        elif compiled and not compiled.fullmatch(value):
            problems.constraint(path, f'satisfy regular expression pattern: {pattern}')
        return value
    return check


def enum(*values):
    def check(value, path, problems):
        if not isinstance(value, str):
            raise wrong_type(path, 'a string')
        if value not in values:
            problems.constraint(path, f"satisfy enum value set: [{', '.join(values)}]")
        return value
    return check


def integer(low, high=None):
    def check(value, path, problems):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or value != int(value):
            raise wrong_type(path, 'an integer')
        if high is None and value < low:
            problems.constraint(path, f'have value greater than or equal to {low}')
        elif high is not None and not low <= value <= high:
            problems.constraint(path, f'be between {low} and {high}, inclusive')
        return int(value)
    return check


def boolean(value, path, problems):
    if not isinstance(value, bool):
        raise wrong_type(path, 'a boolean')
    return value


def document(value, path, problems):
    return value


def listing(item, low, high):
    def check(value, path, problems):
        if not isinstance(value, list):
            raise wrong_type(path, 'a list')
        if not low <= len(value) <= high:
            problems.constraint(path, f'have length between {low} and {high}, inclusive', len(value))
            return value
        return [item(element, f'{path}/{i}', problems) for i, element in enumerate(value)]
    return check


def mapping(key, item, high):
    def check(value, path, problems):
        if not isinstance(value, dict):
            raise wrong_type(path, 'an object')
        if len(value) > high:
            problems.constraint(path, f'have length between 0 and {high}, inclusive', len(value))
        return {key(name, f'{path}/{name}', problems): item(element, f'{path}/{name}', problems)
                for name, element in value.items()}
    return check


def structure(required=(), **members):
    """An object; unknown members are ignored, null is the same as none."""
    def check(value, path, problems):
        if not isinstance(value, dict):
            raise wrong_type(path or '/', 'an object')
        for name in required:
            if value.get(name) is None:
                problems.constraint(f'{path}/{name}', 'not be null')
        return {name: members[name](element, f'{path}/{name}', problems)
                for name, element in value.items() if name in members and element is not None}
    check.members = frozenset(members)
    return check


def vector_data(value, path, problems):
    """The tagged union of one member, {"float32": [...]}; answers a numpy array of float32."""
    if not isinstance(value, dict):
        raise wrong_type(path, 'an object')
    if set(value) != {'float32'}:
        raise wrong_type(path, 'a union with exactly one member of: float32')
    numbers = value['float32']
    if isinstance(numbers, np.ndarray):
        return numbers
    if not isinstance(numbers, list):
        raise wrong_type(path + '/float32', 'a list')
    special = {'NaN': float('nan'), 'Infinity': float('inf'), '-Infinity': float('-inf')}
    numbers = [special.get(number, number) if isinstance(number, str) else number for number in numbers]
    if not all(type(number) in (int, float) for number in numbers):
        raise wrong_type(path + '/float32', 'a list of numbers')
    with np.errstate(over='ignore'):
        return np.array(numbers, np.float64).astype(np.float32)
