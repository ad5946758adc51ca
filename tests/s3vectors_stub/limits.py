"""Checks of one vector and its metadata against the service's limits."""
import json
import math

import numpy as np

from .errors import invalid

MAX_METADATA_BYTES = 40960
MAX_FILTERABLE_BYTES = 2048
MAX_METADATA_KEYS = 50
COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(',', ':')).encode


def bad_record(key, text):
    return invalid(f"Invalid record for key '{key}': {text}")


def json_bytes(document):
    """The size of its JSON text in UTF-8, without blanks: how the limits are taken to count (unverified)."""
    return len(COMPACT(document).encode('utf-8', 'surrogatepass'))


def check_metadata(key, document, non_filterable, switches):
    """Answers its size in bytes."""
    if not isinstance(document, dict):
        raise bad_record(key, 'Metadata must be a JSON object')
    if len(document) > MAX_METADATA_KEYS:
        raise bad_record(key, f'Metadata must have at most {MAX_METADATA_KEYS} keys')
    for name, value in document.items():
        check_value(key, name, value, switches)
    total = json_bytes(document)
    if total > MAX_METADATA_BYTES:
        raise bad_record(key, f'Metadata must have at most {MAX_METADATA_BYTES} bytes')
    filterable = total
    if total > MAX_FILTERABLE_BYTES and non_filterable:
        filterable = json_bytes({name: value for name, value in document.items() if name not in non_filterable})
    if filterable > MAX_FILTERABLE_BYTES:
        raise bad_record(key, f'Filterable metadata must have at most {MAX_FILTERABLE_BYTES} bytes')
    return total


def check_value(key, name, value, switches):
    elements = value if isinstance(value, list) else [value]
    if isinstance(value, list) and not value and switches.empty_list == 'refused':
        raise bad_record(key, f"Metadata value of '{name}' must not be an empty list")
    for element in elements:
        if isinstance(element, float) and not math.isfinite(element):
            raise bad_record(key, f"Metadata value of '{name}' is out of range")
        if element is None or isinstance(element, (dict, list)):
            raise bad_record(key, f"Metadata value of '{name}' must be a string, number, boolean or list of these")


def check_vector(key, values, dimension, metric):
    if len(values) != dimension:
        raise bad_record(key, f'vector must have length {dimension}, but has length {len(values)}')
    if not np.isfinite(values).all():
        raise bad_record(key, 'vector must not have NaN or Infinity values')
    if metric == 'cosine' and not values.any():
        raise bad_record(key, 'vector must have a value other than zero for cosine distance')


def check_query(values, index, switches):
    if len(values) != index.dimension:
        raise invalid(f'Query vector must have length {index.dimension}, but has length {len(values)}')
    if not np.isfinite(values).all():
        raise invalid('Query vector must not have NaN or Infinity values')
    if index.metric == 'cosine' and switches.zero_query == 'refused' and not values.any():
        raise invalid('Query vector must have a value other than zero for cosine distance')
