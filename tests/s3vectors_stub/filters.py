"""The filter language: a document is checked as a whole and becomes a function of a vector's metadata.

What AWS documents is fixed; the rest follows the switches.
"""
import operator as python_operator

from .errors import invalid

ORDERING = {
    '$gt': python_operator.gt, '$gte': python_operator.ge, '$lt': python_operator.lt, '$lte': python_operator.le,
}
FIELD_OPERATORS = {'$eq', '$ne', '$in', '$nin', '$exists', '$startsWith', *ORDERING}
MAX_CONSTRAINTS = 100
MAX_DEPTH = 100
MISSING = object()


def is_number(value):
    return type(value) in (int, float)


def is_scalar(value):
    return is_number(value) or isinstance(value, (str, bool))


def refuse(text):
    return invalid(f'Invalid query filter: {text}')


class Filter:
    """Compiled: matches(metadata) answers whether a vector with it may be returned."""

    def __init__(self, document, switches, non_filterable=(), starts_with=True, max_constraints=MAX_CONSTRAINTS):
        self.switches, self.non_filterable, self.starts_with = switches, frozenset(non_filterable), starts_with
        self.constraints = 0
        self.matches = self.compile(document, 1)
        if max_constraints is not None and self.constraints > max_constraints:
            raise refuse(f'at most {max_constraints} constraints, has {self.constraints}')

    def compile(self, document, depth):
        if depth > MAX_DEPTH:
            raise refuse('nested too deeply')
        if not isinstance(document, dict):
            raise refuse('must be an object')
        if not document and self.switches.empty_filter == 'refused':
            raise refuse('must not be empty')
        logic = [name for name in document if name in ('$and', '$or')]
        if logic and len(document) > 1 and self.switches.logic_beside_fields == 'refused':
            raise refuse(f'{logic[0]} must be alone')
        if len(document) - len(logic) > 1 and self.switches.several_fields == 'refused':
            raise refuse('one key per object')
        return every([self.member(name, value, depth) for name, value in document.items()])

    def member(self, name, value, depth):
        if name in ('$and', '$or'):
            if not isinstance(value, list):
                raise refuse(f'{name} takes a list')
            if not value and self.switches.empty_operands == 'refused':
                raise refuse(f'{name} takes a list that is not empty')
            parts = [self.compile(part, depth + 1) for part in value]
            return every(parts) if name == '$and' or not parts else some(parts)
        if name.startswith('$'):
            if self.switches.unknown_operator == 'ignored':
                return every([])
            raise refuse(f'unknown operator {name}')
        if name in self.non_filterable and self.switches.non_filterable == 'refused':
            raise refuse(f"'{name}' is a non-filterable metadata key")
        if not isinstance(value, dict):
            return self.test(name, '$eq', value)
        if not value:
            raise refuse(f"'{name}' has no operator")
        return every([self.test(name, operator, operand) for operator, operand in value.items()])

    def test(self, name, operator, operand):
        if operator not in FIELD_OPERATORS:
            if self.switches.unknown_operator == 'ignored':
                return every([])
            raise refuse(f'unknown operator {operator}')
        self.constraints += len(operand) if operator in ('$in', '$nin') and isinstance(operand, list) else 1
        if operator in ORDERING:
            return self.ordering(name, operator, operand)
        if operator in ('$in', '$nin'):
            return self.among(name, operator, operand)
        if operator == '$exists':
            if not isinstance(operand, bool):
                raise refuse('$exists takes a boolean')
            return lambda metadata: (name in metadata) == operand
        if operator == '$startsWith':
            return self.prefix(name, operand)
        if not is_scalar(operand):
            raise refuse(f'{operator} takes a string, a number or a boolean')
        return self.negated(name, self.equality([operand])) if operator == '$ne' else self.plain(name, self.equality([operand]))

    def ordering(self, name, operator, operand):
        if not is_number(operand):
            raise refuse(f'{operator} takes a number')
        compare, switches = ORDERING[operator], self.switches
        with_missing = switches.lt_missing == 'match' and operator in ('$lt', '$lte')
        with_string = switches.range_string == 'inclusive_match' and operator in ('$gte', '$lte')

        def matches(metadata):
            value = metadata.get(name, MISSING)
            if type(value) is int or type(value) is float:
                return compare(value, operand)
            if isinstance(value, str):
                return with_string
            if isinstance(value, list) and switches.range_list == 'any':
                return any(is_number(element) and compare(element, operand) for element in value)
            return value is MISSING and with_missing
        return matches

    def among(self, name, operator, operand):
        if not isinstance(operand, list) or not all(map(is_scalar, operand)):
            raise refuse(f'{operator} takes a list of strings, numbers and booleans')
        if not operand and self.switches.empty_operands == 'refused':
            raise refuse(f'{operator} takes a list that is not empty')
        one_of = self.equality(operand)
        return self.plain(name, one_of) if operator == '$in' else self.negated(name, one_of)

    def prefix(self, name, operand):
        if not self.starts_with:
            raise refuse('$startsWith needs an ENHANCED index or queryMode ENHANCED')
        if not isinstance(operand, str):
            raise refuse('$startsWith takes a string')
        any_element = self.switches.starts_with_list == 'any'

        def matches(metadata):
            value = metadata.get(name)
            if isinstance(value, list):
                return any_element and any(isinstance(part, str) and part.startswith(operand) for part in value)
            return isinstance(value, str) and value.startswith(operand)
        return matches

    def equality(self, operands):
        """A function: is this scalar one of the operands?"""
        if self.switches.number_as_text or not self.switches.integer_is_decimal:
            wanted = {self.comparable(operand) for operand in operands}
            return lambda value: self.comparable(value) in wanted
        booleans = {operand for operand in operands if isinstance(operand, bool)}
        others = {operand for operand in operands if not isinstance(operand, bool)}  # Python takes True for 1
        return lambda value: value in (booleans if value is True or value is False else others)

    def comparable(self, value):
        """Equal for values that the service takes for equal."""
        if self.switches.number_as_text and is_number(value):
            return 'text', f'{value:.15g}'
        if isinstance(value, str):
            return 'text', value
        if isinstance(value, bool) or not self.switches.integer_is_decimal:
            return type(value).__name__, value
        return 'number', value

    def plain(self, name, one_of):
        any_element = self.switches.eq_list == 'any'

        def matches(metadata):
            value = metadata.get(name, MISSING)
            if type(value) is list:
                return any_element and any(map(one_of, value))
            return value is not MISSING and one_of(value)
        return matches

    def negated(self, name, one_of):
        with_missing, on_lists = self.switches.ne_missing == 'match', self.switches.ne_list == 'negation'

        def matches(metadata):
            value = metadata.get(name, MISSING)
            if value is MISSING:
                return with_missing
            if isinstance(value, list):
                return on_lists and not any(map(one_of, value))
            return not one_of(value)
        return matches


def every(parts):
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        first, second = parts
        return lambda metadata: first(metadata) and second(metadata)
    return lambda metadata: all(part(metadata) for part in parts)


def some(parts):
    return lambda metadata: any(part(metadata) for part in parts)
