"""Checks of the bench itself: python3 bench/check.py. Counting, choosing and plotting, on cases small enough to see."""

import http.client
import http.server
import os
import sys
import threading
import time
import unittest
import xml.dom.minidom
from array import array

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import contest
import datasets
import exact
import filter_sets
import measure_filters
import plots
import proxy


class Waves(unittest.TestCase):
    def test_requests_sent_together_are_one_wave(self):
        self.assertEqual(proxy.waves([(0, 30), (1, 31), (2, 60)]), 1)

    def test_one_after_another_is_a_wave_each(self):
        self.assertEqual(proxy.waves([(0, 30), (30, 60), (61, 90)]), 3)

    def test_a_wave_ends_with_the_first_answer(self):
        spans = [(0, 30), (1, 100), (31, 60)]  # the third may follow from the first
        self.assertEqual(proxy.waves(spans), 2)
        self.assertEqual(proxy.busy_periods(spans), 1)

    def test_a_sliding_window_is_as_many_waves_as_its_longest_chain(self):
        spans = [(0, 30), (10, 40), (30, 60), (40, 70), (60, 90)]
        self.assertEqual(proxy.waves(spans), 3)
        self.assertEqual(proxy.most_at_once(spans), 2)

    def test_nothing(self):
        self.assertEqual(proxy.summary([])["waves"], 0)


class Behind(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = bytes(range(256)) * 2048  # 512 KiB

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def do_PUT(self):
        self.server.received = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Counting(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Behind)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.proxy = proxy.Proxy(self.server.server_address[1])

    def tearDown(self):
        self.proxy.close()
        self.server.shutdown()
        self.server.server_close()

    def get(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port)
        connection.request("GET", "/object", headers={"Range": "bytes=0-9"})
        body = connection.getresponse().read()
        connection.close()
        return body

    def test_answers_pass_unchanged_and_are_counted_and_delayed(self):
        with self.proxy.counting() as seen:
            self.assertEqual(self.get(), Behind.body)
            self.assertEqual(self.get(), Behind.body)
        self.assertEqual((seen["requests"], seen["bytes"], seen["waves"]), (2, 2 * len(Behind.body), 2))
        self.assertGreaterEqual(seen["wall_ms"], 2 * 30)

    def test_parallel_requests_are_one_wave(self):
        threads = [threading.Thread(target=self.get) for _ in range(4)]
        with self.proxy.counting() as seen:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual((seen["requests"], seen["waves"]), (4, 1))

    def test_uploads_arrive_whole(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port)
        with self.proxy.counting() as seen:
            connection.request("PUT", "/object", body=Behind.body)
            connection.getresponse().read()
        connection.close()
        self.assertEqual(self.server.received, Behind.body)
        self.assertEqual((seen["sent_bytes"], seen["by_verb"]), (len(Behind.body), {"PUT": 1}))

    def test_a_connection_gets_no_more_than_its_rate(self):
        self.proxy._ask("PUT", "/shape", {"delay_ms": 0, "connection_rate": 2e6, "total_rate": 0})
        started = time.monotonic()
        self.get()
        self.assertGreaterEqual(time.monotonic() - started, 0.8 * len(Behind.body) / 2e6)


class Choosing(unittest.TestCase):
    def setUp(self):
        self.judged = contest.judged
        contest.judged = lambda data, numbers, run: {"recall": run}

    def tearDown(self):
        contest.judged = self.judged

    def test_odd_queries_choose_and_even_ones_are_reported(self):
        def ask(setting, numbers):
            return setting if numbers[0] == 1 else setting - 0.01

        ladder = contest.climb(None, 10, [0.5, 0.94, 0.951, 0.97, 0.99, 1.0], ask)
        self.assertEqual(
            ladder["points"][ladder["chosen"]], {"setting": 0.951, "odd": {"recall": 0.951}, "even": {"recall": 0.941}}
        )
        self.assertEqual(len(ladder["points"]), 5)

    def test_a_goal_that_is_not_reached(self):
        self.assertIsNone(contest.climb(None, 10, [0.5, 0.6], lambda setting, _: setting)["chosen"])

    def test_the_cheapest_of_those_that_are_good(self):
        points = [{"odd": {"recall": r, "bytes": b}} for r, b in ((0.96, 9), (0.99, 5), (0.9, 1), (0.95, 7))]
        self.assertEqual(contest.choose_cheapest(points, lambda odd: odd["bytes"]), 1)


class Filters(unittest.TestCase):
    def setUp(self):
        rows = datasets.Vectors(1, array("f", [0, 1, 2, 3, 4]))
        self.data = datasets.DataSet("line", "l2", rows, datasets.Vectors(1, array("f", [0])), None, None)
        truth = exact.GroundTruth(
            3, array("i", [1, 3, -1, -1, -1, -1]), array("d", [1, 3, float("inf")] + 3 * [float("inf")])
        )
        self.odd = filter_sets.FilterSet("odd", "given", truth, [])

    def recall(self, ids, row=0, matches=2):
        return self.odd.recall(self.data, filter_sets.Task(0, row, matches), ids, 3)

    def test_recall_is_of_the_rows_that_match(self):
        self.assertEqual(
            (self.recall([1, 3]), self.recall([1]), self.recall([1, 4]), self.recall([])), (1, 0.5, 0.5, 0)
        )

    def test_no_recall_where_nothing_matches(self):
        self.assertIsNone(self.recall([], row=1, matches=0))

    def test_decades_are_reported_apart_and_other_counts_together(self):
        def levels(counts):
            tasks = [filter_sets.Task(0, 0, count) for count in counts]
            return {name: len(part) for name, part in filter_sets.by_level(tasks, 1000).items()}

        self.assertEqual(levels([100, 10, 100, 1]), {"10 %": 2, "1 %": 1, "0.1 %": 1})
        self.assertEqual(levels([100, 101, 50]), {"": 3})
        self.assertEqual(levels([100, 100]), {"": 2})

    def test_places_in_per_cent_are_what_conditions_ask_for(self):
        self.assertEqual(
            filter_sets.condition("random", 10, 2),
            (0, 800, 810, '{"r": {"$gte": 800, "$lt": 810}}', "r >= 800 AND r < 810"),
        )
        self.assertEqual(
            filter_sets.condition("anti-correlated", 1, 3)[2:], (10000, '{"near_3": {"$gte": 9999}}', "near_3 >= 9999")
        )
        self.assertLessEqual(
            filter_sets.RANDOM_STEP * (filter_sets.ANCHORS - 1) + max(filter_sets.WIDTHS), filter_sets.PLACES
        )

    def test_some_of_the_tasks_are_of_both_halves(self):
        chosen = measure_filters.spread([filter_sets.Task(query, query, 1) for query in range(100)], 10)
        self.assertEqual(sorted(task.query % 2 for task in chosen), [0] * 5 + [1] * 5)
        self.assertEqual(len({task.query for task in chosen}), 10)

    def test_ratios_compare_the_same_queries(self):
        plain = {"query": 1, "recall": 1.0, "short": False, "cpu_us": 10, "bytes": 100, "path": "index"}
        self.assertEqual(measure_filters.same_query(plain, {"path": "index"}), plain)
        self.assertNotIn("bytes", measure_filters.same_query(plain, {}))


class Plotting(unittest.TestCase):
    def test_a_plot_is_well_formed_whatever_the_names(self):
        lines = [plots.Line("a < b & c", [(1, 0.5), (100, 0.99)], ["x < 1", ""])]
        drawn = plots.draw(
            "recall & bytes", plots.Axis("bytes", logarithmic=True), plots.Axis("recall", highest=1.0), lines, 0.95
        )
        self.assertEqual(len(xml.dom.minidom.parseString(drawn).getElementsByTagName("polyline")), 1)

    def test_plots_beside_each_other_are_one_file(self):
        one = plots.draw("", plots.Axis(""), plots.Axis(""), [plots.Line("a", [(1, 1), (2, 3)])])
        drawn = plots.beside([one, None, one])
        self.assertEqual(len(xml.dom.minidom.parseString(drawn).getElementsByTagName("svg")), 3)
        self.assertIsNone(plots.beside([None]))

    def test_nothing_to_plot(self):
        self.assertIsNone(plots.draw("", plots.Axis(""), plots.Axis(""), []))

    def test_the_exponent_of_a_power(self):
        self.assertAlmostEqual(plots.exponent([(n, 3 * n**0.7) for n in (60e3, 1e6, 1e7)]), 0.7)


if __name__ == "__main__":
    unittest.main()
