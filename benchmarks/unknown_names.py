"""Compare what known and unknown names cost, with hashes of five kinds in one table. Statistics, so not a test.

Usage: ``python benchmarks/unknown_names.py [NAMES]`` (200 of each by default, a few minutes).

It measures the processor time of one wrong password for each name, in random order, and prints the means and the
two-sided p-values of two tests: Mann-Whitney (are the times of one group higher?) and Kolmogorov-Smirnov (do the
distributions differ?). Small p-values, such as below 0.01 in several runs, would say that names can be told apart. As
a control it does the same with one dummy for all unknown names, where the p-values must be tiny.
"""

import math
import random
import sys
import time
from statistics import fmean

from werkzeug.security import generate_password_hash

from flask_unauthorized.loaders import Passwords

METHODS = {"scrypt:32768:8:1": 40, "scrypt:32768:8:3": 25, "pbkdf2:sha256:600000": 15, "pbkdf2:sha512:210000": 12,
           "pbkdf2:sha256:150000": 8}  # fmt: skip


def seconds(check: Passwords, names: list[str]) -> dict[str, float]:
    """Return the processor time of a wrong password for each name."""
    found = {}
    for name in names:
        begin = time.process_time()
        check(name, "wrong")
        found[name] = time.process_time() - begin
    return found


def mann_whitney(one: list[float], other: list[float]) -> float:
    """Return the two-sided p-value, by the normal approximation."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    rank_sum = sum(rank for rank, (_, group) in enumerate(ranked, 1) if group == 0)
    n, m = len(one), len(other)
    deviation = rank_sum - n * (n + m + 1) / 2
    return math.erfc(abs(deviation) / math.sqrt(n * m * (n + m + 1) / 12) / math.sqrt(2))


def kolmogorov_smirnov(one: list[float], other: list[float]) -> float:
    """Return the two-sided p-value, by the asymptotic distribution."""
    n, m = len(one), len(other)
    ranked = sorted([(value, 1 / n) for value in one] + [(value, -1 / m) for value in other])
    distance = position = 0.0
    for _, step in ranked:
        position += step
        distance = max(distance, abs(position))
    scaled = distance * math.sqrt(n * m / (n + m))
    if scaled < 0.3:
        return 1.0
    return min(1.0, max(0.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))))


def compare(title: str, check: Passwords, known: list[str], count: int) -> None:
    """Measure both groups in one random order, and print what the tests say."""
    unknown = [f"nobody-{number}" for number in range(count)]
    names = known + unknown
    random.shuffle(names)
    found = seconds(check, names)
    one, other = [found[name] for name in known], [found[name] for name in unknown]
    means = f"known {fmean(one) * 1000:.0f} ms, unknown {fmean(other) * 1000:.0f} ms on average"
    whitney, smirnov = mann_whitney(one, other), kolmogorov_smirnov(one, other)
    print(f"{title}: {means}; Mann-Whitney p={whitney:.3g}, Kolmogorov-Smirnov p={smirnov:.3g}", flush=True)


def main() -> None:
    """Run the comparison for a mapping, and the control."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    stored = {method: generate_password_hash("right", method=method) for method in METHODS}
    methods = random.choices(list(METHODS), list(METHODS.values()), k=count)  # not a secret
    table = {f"user-{number}": stored[method] for number, method in enumerate(methods)}
    known = list(table)
    compare("mapping", Passwords(table), known, count)
    compare("look-up with sample=", Passwords(table.get, sample=lambda: list(table.values())), known, count)
    control = Passwords(table.get, sample=lambda: [stored["scrypt:32768:8:3"]])
    compare("control: one dummy", control, known, count)


if __name__ == "__main__":
    main()
