"""Side-by-side measurements behind ``componium bench``: ours and a named peer, in the same run.

`names` lists them, `run` makes them, `rows` and `to_json` show them. A ratio is the peer's time divided by
ours: 2 means that Componium needs half as long.
"""

from componium.benchmarks.measure import Measurement, rows, to_json
from componium.benchmarks.suite import names, run

__all__ = ["Measurement", "names", "rows", "run", "to_json"]
