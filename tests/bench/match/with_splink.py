"""Matches a CSV file with Splink, and prints as JSON what it found, how right that is, and what it
took: with_splink.py SET CSV… [--postgres URL]

The models are in splink_models.py; they are trained as Splink's documentation advises. The clock
runs from the cleaned table to the tables of links and clusters.
"""

import argparse
import json
import logging
import resource
import tempfile
import time
import warnings

import duckdb
import igraph
import numpy
from splink import DuckDBAPI, Linker, SettingsCreator
from splink.blocking_analysis import cumulative_comparisons_to_be_scored_from_blocking_rules_data
from splink_models import MODELS

# Splink's own advice for a threshold, and the least that becomes a link in the table.
THRESHOLD = 0.95
LEAST = 0.05
THREADS = 2


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("set", choices=MODELS)
    words.add_argument("csv", nargs="+", help="one to deduplicate, two to link")
    words.add_argument("--postgres", metavar="URL", help="run on Splink's Postgres backend there")
    given = words.parse_args()

    model = MODELS[given.set]
    duck = duckdb.connect(config={"threads": THREADS})
    tables = [load(duck, number, csv, model["columns"]) for number, csv in enumerate(given.csv)]
    backend = postgres(given.postgres, duck, tables) if given.postgres else DuckDBAPI(duck)

    links, clusters, seconds = match(model, tables, backend)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    truth = Truth(duck, tables)
    judgement = {
        "set": given.set,
        "backend": "postgres" if given.postgres else "duckdb",
        "records": len(truth.person),
        "candidate_pairs": candidate_pairs(model, tables, duck),
        "true_pairs": truth.pairs(),
        "seconds": seconds,
        "rss_mb": round(rss),
        **judge(truth, links, clusters),
    }
    print(json.dumps(judgement))


def load(duck, number, csv, columns):
    """A table of the file, with the columns of the model as somebody would clean them before."""
    table = f"source_{number}"
    expressions = ", ".join(f"{expression} AS {column}" for column, expression in columns.items())
    duck.execute(
        f"CREATE TABLE {table} AS"
        f" SELECT {number} * 1000000000 + row_number() OVER () - 1 AS id, {expressions}"
        f" FROM read_csv('{csv}', all_varchar = true, header = true)"
    )
    return table


def postgres(url, duck, tables):
    """Splink's Postgres backend, with the cleaned tables copied there."""
    import sqlalchemy
    from splink.backends.postgres import PostgresAPI

    engine = sqlalchemy.create_engine(url)
    connection = engine.raw_connection()
    for table in tables:
        described = duck.execute(f"DESCRIBE {table}").fetchall()
        columns = ", ".join(f"{name} {kind}" for name, kind, *_ in described)
        with tempfile.TemporaryDirectory() as folder, connection.cursor() as cursor:
            csv = f"{folder}/{table}.csv"
            duck.execute(f"COPY {table} TO '{csv}' (HEADER false)")
            cursor.execute(f"CREATE TABLE {table} ({columns})")
            with open(csv) as file:
                cursor.copy_expert(f"COPY {table} FROM STDIN (FORMAT csv)", file)
            cursor.execute(f"ANALYZE {table}")
    connection.commit()
    connection.close()
    return PostgresAPI(engine)


def match(model, tables, backend):
    """Trains, predicts and clusters. Gives both tables in memory, and the seconds of each step."""
    seconds = {}
    started = time.monotonic()

    def lap(step):
        seconds[step] = round(time.monotonic() - started - sum(seconds.values()), 2)

    linker = Linker(
        tables,
        SettingsCreator(
            link_type=link_type(tables),
            unique_id_column_name="id",
            comparisons=model["comparisons"],
            blocking_rules_to_generate_predictions=model["blocking"],
            retain_matching_columns=False,
        ),
        backend,
    )
    training = linker.training
    training.estimate_probability_two_random_records_match(model["certain"], recall=model["recall"])
    lap("prior")
    # Only DuckDB takes a seed.
    seed = {"seed": 1} if isinstance(backend, DuckDBAPI) else {}
    training.estimate_u_using_random_sampling(max_pairs=1e6, **seed)
    lap("u")
    for rule in model["training"]:
        training.estimate_parameters_using_expectation_maximisation(rule)
    lap("em")
    links = linker.inference.predict(threshold_match_probability=LEAST)
    lap("predict")
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(links, THRESHOLD)
    lap("cluster")
    seconds["total"] = round(time.monotonic() - started, 2)
    return links.as_pandas_dataframe(), clusters.as_pandas_dataframe(), seconds


def link_type(tables):
    return "link_only" if len(tables) > 1 else "dedupe_only"


def candidate_pairs(model, tables, duck):
    counts = cumulative_comparisons_to_be_scored_from_blocking_rules_data(
        table_or_tables=tables,
        blocking_rules=model["blocking"],
        link_type=link_type(tables),
        unique_id_column_name="id",
        db_api=DuckDBAPI(duck),
    )
    return int(counts["row_count"].sum())


class Truth:
    """Who each record is of. Records go by their place in the order of ids."""

    def __init__(self, duck, tables):
        rows = " UNION ALL ".join(
            f"SELECT id, person, {number} AS source FROM {table}" for number, table in enumerate(tables)
        )
        found = duck.execute(
            f"SELECT id, dense_rank() OVER (ORDER BY person) AS person, source FROM ({rows}) ORDER BY id"
        ).fetchnumpy()
        keys = ("id", "person", "source")
        self.id, self.person, self.source = (numpy.asarray(found[key]) for key in keys)

    def place(self, ids):
        return numpy.searchsorted(self.id, numpy.asarray(ids, dtype=numpy.int64))

    def pairs(self):
        """Of one source, all pairs of a person's records; of two, those between them."""
        within = pairs_within(self.person, self.source) if self.source.any() else 0
        return pairs_within(self.person) - within


def pairs_within(*keys):
    """How many pairs agree in all keys, which are small numbers."""
    together = numpy.zeros(len(keys[0]), dtype=numpy.int64)
    for key in keys:
        together = together * (int(key.max()) + 1) + key
    _, counts = numpy.unique(together, return_counts=True)
    return int((counts * (counts - 1) // 2).sum())


def judge(truth, links, clusters):
    """Precision, recall and F1: of the links, and of all pairs that clusters imply, each at the
    threshold that the truth says is best and at Splink's usual one."""
    left, right = truth.place(links["id_l"]), truth.place(links["id_r"])
    weight = links["match_weight"].to_numpy()
    correct = truth.person[left] == truth.person[right]
    usual = numpy.log2(THRESHOLD / (1 - THRESHOLD))

    def of_links(threshold):
        linked = weight >= threshold
        return score(truth, threshold, int(correct[linked].sum()), int(linked.sum()))

    def of_clusters(threshold):
        linked = weight >= threshold
        graph = igraph.Graph(n=len(truth.id), edges=numpy.stack([left[linked], right[linked]], axis=1))
        return clustered(threshold, numpy.array(graph.connected_components().membership))

    def clustered(threshold, cluster):
        return score(truth, threshold, pairs_within(cluster, truth.person), pairs_within(cluster))

    splinks = numpy.empty(len(truth.id), dtype=numpy.int64)
    splinks[truth.place(clusters["id"])] = numpy.unique(clusters["cluster_id"], return_inverse=True)[1]
    best = max(map(of_links, numpy.arange(-4, 31, 0.5)), key=lambda at: at["f1"])
    best_clusters = max(map(of_clusters, range(-4, 24)), key=lambda at: at["f1"])
    return {
        "pairs": {"best": best, "usual": of_links(usual)},
        "clusters": {"best": best_clusters, "usual": clustered(usual, splinks),
                     "largest": int(numpy.bincount(splinks).max())},
        "calibration_error": calibration_error(links["match_probability"].to_numpy(), correct),
    }


def score(truth, threshold, correct, found):
    precision, recall = correct / max(found, 1), correct / truth.pairs()
    return {
        "threshold": round(float(1 / (1 + 2.0**-threshold)), 6),
        "precision": round(precision, 5),
        "recall": round(recall, 5),
        "f1": round(2 * precision * recall / max(precision + recall, 1e-9), 5),
    }


def calibration_error(probability, correct):
    """What is claimed less what is true, in ten bins, by the pairs in each."""
    which = numpy.minimum((probability * 10).astype(int), 9)
    gaps = [abs((probability[which == one] - correct[which == one]).sum()) for one in range(10)]
    return round(float(sum(gaps) / max(len(probability), 1)), 4)


if __name__ == "__main__":
    main()
