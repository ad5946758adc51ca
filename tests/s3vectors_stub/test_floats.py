"""Arrays of numbers: the C++ reads and writes what plain Python does."""
import json
import unittest

import numpy as np

from . import floats

HARD = ['0', '-0.0', '1', '0.1', '-2.5e-3', '1e22', '1e23', '9007199254740993', '9007199254740992.5', '1.17549435e-38',
        '1e-45', '7.0064923216240854e-46', '3.4028234663852886e38', '1E5', '1e+5', '0.000000000001234567',
        '123456789012345678901234567890',
        '0.30000000000000004', '16777217', '16777216.999999', '1.00000017881393421514957253748434595763683319091796875']
NOT_JSON = ['01', '1.', '.5', '+1', '1e', '1e+', '--1', '0x1', 'NaN', 'Infinity', '1 2', '', '1,', ',1', '1;2']


def body_of(numbers, blank=''):
    array = (blank + ',' + blank).join(numbers)
    return (f'{{"vectors":[{{"key":"k","data":{{"float32"{blank}:{blank}[{blank}{array}{blank}]}}}}],'
            f'"filler":"{"x" * 1100}"}}').encode()


@unittest.skipUnless(floats.LIBRARY, 'no g++: only plain Python')
class Floats(unittest.TestCase):
    def taken(self, body):
        document = floats.loads(body)
        array = document['vectors'][0]['data']['float32']
        self.assertIsInstance(array, np.ndarray)
        return array

    def test_hard_numbers_read_as_python_reads_them(self):
        for blank in ('', ' ', '\n\t'):
            body = body_of(HARD, blank)
            plain = np.array(json.loads(body)['vectors'][0]['data']['float32'], np.float64).astype(np.float32)
            np.testing.assert_array_equal(self.taken(body).view(np.uint32), plain.view(np.uint32))

    def test_random_numbers_of_every_length(self):
        dice = np.random.default_rng(7)
        numbers = [f'{value:.{digits}e}' for digits in range(1, 21)
                   for value in dice.normal(size=500) * 10.0 ** dice.integers(-30, 30, 500)]
        plain = np.array([float(number) for number in numbers]).astype(np.float32)
        np.testing.assert_array_equal(self.taken(body_of(numbers)).view(np.uint32), plain.view(np.uint32))

    def test_what_is_not_json_is_refused(self):
        for wrong in NOT_JSON:
            if wrong != '':
                with self.assertRaises(ValueError, msg=wrong):
                    floats.loads(body_of(['1', wrong]))

    def test_an_empty_array_is_read_by_the_parser(self):
        self.assertEqual(floats.loads(body_of([]))['vectors'][0]['data']['float32'], [])

    def test_texts_that_look_like_vectors_stay(self):
        document = {'vectors': [{'key': '"float32":[1]', 'metadata': {'x"float32': [1, 2], 'y': '\\"float32":[3'}}],
                    'filler': 'x' * 1100}
        self.assertEqual(floats.loads(json.dumps(document).encode()), document)

    def test_many_short_arrays_need_more_room_than_the_text(self):
        document = {'vectors': [{'data': {'float32': [n]}} for n in range(500)], 'filler': 'x' * 1100}
        read = floats.loads(json.dumps(document, separators=(',', ':')).encode())
        self.assertEqual([vector['data']['float32'].tolist() for vector in read['vectors']], [[n] for n in range(500)])

    def test_written_numbers_read_back(self):
        dice = np.random.default_rng(8)
        values = dice.integers(0, 0x7f7fffff, 3000).astype(np.uint32).view(np.float32)
        values *= dice.choice([-1, 1], 3000).astype(np.float32)
        for form in ('shortest', 'double'):
            read = np.array(json.loads('[' + floats.text_of(values, form) + ']'), np.float32)
            np.testing.assert_array_equal(read, values)
