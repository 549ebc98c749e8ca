"""Tables of results: regret, ranks, scores, cost."""

import math
import statistics


def quantile(values, q):
    values = sorted(values)
    at = q * (len(values) - 1)
    low = int(at)
    return values[low] if low + 1 >= len(values) else values[low] + (at - low) * (values[low + 1] - values[low])


def group(results):
    cells = {}
    for result in results:
        cells.setdefault((result["problem"], result["workers"]), {}).setdefault(result["strategy"], []).append(result)
    return cells


def budgets_of(trials):
    return [b for b in (25, 50, 100, 200, 400, 1000) if b < trials] + [trials]


def short(value):
    return "0" if abs(value) < 1e-12 else "%.2g" % value


def regret_table(results, out):
    """Median and quartiles of simple regret at each budget, and milliseconds of CPU a trial."""
    for (problem, workers), strategies in group(results).items():
        trials = min(len(r["curve"]) for runs in strategies.values() for r in runs)
        budgets = budgets_of(trials)
        out.write("\n%s%s\n" % (problem, ", %d workers" % workers if workers > 1 else ""))
        out.write("  %-18s %s %8s seeds\n" % ("", " ".join("%-26s" % ("     @%d (quartiles)" % b) for b in budgets), "ms"))
        rows = []
        for strategy, runs in strategies.items():
            cells = []
            for budget in budgets:
                values = [r["curve"][budget - 1] for r in runs]
                cells.append((statistics.median(values), quantile(values, 0.25), quantile(values, 0.75)))
            rows.append((cells[-1][0], strategy, cells))
        for _, strategy, cells in sorted(rows):
            runs = strategies[strategy]
            out.write("  %-18s %s %8.2f %d\n" % (strategy, " ".join("%8s %-17s" % (short(m), "(%s..%s)" % (short(q1), short(q3))) for m, q1, q3 in cells),
                      statistics.median(r["ms"] for r in runs), len(runs)))


def ranks(values):
    """Ranks from 1 (least), ties shared."""
    return {key: 1 + sum(other < value for other in values.values()) + 0.5 * sum(other == value for other in values.values()) - 0.5
            for key, value in values.items()}


def rank_table(results, out):
    """The average rank of the medians over the problems that every strategy ran, by workers and budget; and the normalised score
    (median of random - regret) / (median of random - least regret), 1 the best of those compared, 0 random; problems where random itself is best have none."""
    by_workers = {}
    for (problem, workers), strategies in group(results).items():
        by_workers.setdefault(workers, {})[problem] = strategies
    for workers, problems in sorted(by_workers.items()):
        everyone = set.intersection(*(set(s) for s in problems.values()))
        left_out = set.union(*(set(s) for s in problems.values())) - everyone
        if len(everyone) < 2:
            left_out = set()
            everyone = set.union(*(set(s) for s in problems.values()))
            problems = {p: s for p, s in problems.items() if set(s) >= everyone}
        if not problems or len(everyone) < 2:
            continue
        out.write("\naverage rank over %d problems%s (and normalised score)\n" % (len(problems), ", %d workers" % workers if workers > 1 else ""))
        if left_out:
            out.write("  not ranked, for they lack problems: %s\n" % ", ".join(sorted(left_out)))
        longest = max(len(r["curve"]) for strategies in problems.values() for s in everyone for r in strategies[s])
        budgets = [b for b in (25, 50, 100, 200, 400) if b <= longest] or [longest]
        rows = {strategy: [] for strategy in everyone}
        for budget in budgets:
            total, score, scored = dict.fromkeys(everyone, 0.0), dict.fromkeys(everyone, 0.0), 0
            for strategies in problems.values():
                medians = {s: statistics.median(r["curve"][min(budget, len(r["curve"])) - 1] for r in strategies[s]) for s in everyone}
                for strategy, rank in ranks(medians).items():
                    total[strategy] += rank
                if "random" in medians and math.isfinite(medians["random"]) and medians["random"] > min(medians.values()):
                    scored += 1
                    for strategy, value in medians.items():
                        score[strategy] += (medians["random"] - value) / (medians["random"] - min(medians.values()))
            for strategy in everyone:
                rows[strategy].append((total[strategy] / len(problems), score[strategy] / scored if scored else float("nan")))
        out.write("  %-22s %s\n" % ("", " ".join("%14s" % ("@%d" % b) for b in budgets)))
        for strategy in sorted(everyone, key=lambda s: rows[s][-1]):
            out.write("  %-22s %s\n" % (strategy, " ".join("%6.2f (%5s)" % (rank, "-" if math.isnan(score) else "%.2f" % score) for rank, score in rows[strategy])))
