"""VectorChord's vchordrq, where its library is in the PostgreSQL that is measured (bench/run: S3V_VECTORCHORD_DIR).

Lists and residual quantization as tuned in earlier measurements: a list for 500 rows, epsilon 0.7 to 1.9. It works on
pgvector's type, and must be in shared_preload_libraries.
"""

import contest
from peers import pgvector, sql

PROBES = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 40, 60, 80, 120)
EPSILONS = (0.7, 1.3, 1.9)


def measure(bench, data, name, count):
    with bench.connect() as session:
        if session.run("SELECT 1 FROM pg_available_extensions WHERE name = 'vchord'") == []:
            raise contest.Skipped('the extension "vchord" is not in this PostgreSQL (see S3V_VECTORCHORD_DIR)')
        session.run("CREATE EXTENSION IF NOT EXISTS vchord CASCADE")
        version = session.value("SELECT extversion FROM pg_extension WHERE extname = 'vchord'")
    index, lists = f"{name}_vchordrq", max(10, data.base.count // 500)
    options = (
        f"residual_quantization = {'true' if data.metric == 'l2' else 'false'}\n[build.internal]\nlists = [{lists}]\n"
    )
    if data.metric == "cosine":
        options += "spherical_centroids = true\n"
    statement = (
        f"CREATE INDEX {index} ON {name} USING vchordrq (embedding {pgvector.OPERATOR[data.metric][1]}) "
        f"WITH (options = $${options}$$)"
    )
    figures = {"version": version, "options": {"lists": lists}}
    figures["build"] = sql.build_index(bench, statement, [], index, data.base.count)
    contender = sql.SqlContender(bench, pgvector.select(name, data.metric), data.queries.pgvector)
    contender.apply({"enable_seqscan": "off"})
    ladders = [
        contest.climb(
            data,
            count,
            [{"vchordrq.probes": f"'{probes}'", "vchordrq.epsilon": epsilon} for probes in PROBES if probes <= lists],
            contender.ask,
        )
        for epsilon in EPSILONS
    ]
    points = [point for ladder in ladders for point in ladder["points"]]
    figures["points"] = points
    figures["chosen"] = contest.choose_cheapest(points, lambda odd: odd["cpu_us"]["mean"])
    if figures["chosen"] is not None:
        contender.apply(points[figures["chosen"]]["setting"])
        figures["buffers"] = contender.buffers(contest.even(count))
    return figures, contender
