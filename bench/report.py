# SPDX-License-Identifier: MIT
"""Figures into rows, rows into Markdown and JSON."""
import statistics

# Requests of the kernel that a warm tree should not need, by the names of `projfs status --json`.
UPCALLS = ["lookups", "getattrs", "opens", "opendirs", "reads", "readdirs", "readlinks", "xattrs", "forgets",
           "notifications"]


def _spread(times):
    return {"median_s": statistics.median(times), "min_s": min(times), "max_s": max(times), "times_s": times}


def rows(workload, times, upcalls):
    """One row for each mode; upcalls: of each mode, per round, for warm workloads."""
    native = _spread(times["native"]) if "native" in times else None
    ret = []
    for mode in times:
        if mode == "native":
            continue
        view = _spread(times[mode])
        ret.append({
            "workload": workload.name,
            "what": workload.what,
            "mode": mode,
            "native": native,
            "view": view,
            "ratio": view["median_s"] / native["median_s"] if native else None,
            "counters_per_round": upcalls.get(mode),
        })
    return ret


def _seconds(value):
    return f"{value:.3f}"


def _range(side):
    return f"{_seconds(side['min_s'])}–{_seconds(side['max_s'])}" if side else "–"


def _upcalls(counters):
    if counters is None:
        return "–"
    seen = [f"{counters[key]:,.0f} {key}" for key in UPCALLS if round(counters.get(key, 0)) > 0]
    return ", ".join(seen) or "none"


def markdown(facts, all_rows):
    memory_gib = facts["memory_bytes"] / 2**30
    lines = [
        f"{facts['projfs']}, kernel {facts['kernel']} {facts['machine']}, {facts['cpus']} CPUs ({facts['cpu']}), "
        f"{memory_gib:.0f} GiB, {facts['fs']}; {facts['n_files']:,} files, {facts['n_rounds']} rounds, as root, "
        f"load {facts['load_before']:.1f} before.",
        "Features: " + ", ".join(facts["features"]) + ".",
        "",
        "| workload | mode | native median s | view median s | ratio | native min–max | view min–max "
        "| upcalls per round |",
        "|---|---|---:|---:|---:|---|---|---|",
    ]
    for row in all_rows:
        native = _seconds(row["native"]["median_s"]) if row["native"] else "–"
        ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else "–"
        lines.append(f"| {row['what']} | {row['mode']} | {native} | {_seconds(row['view']['median_s'])} | {ratio} "
                     f"| {_range(row['native'])} | {_range(row['view'])} | {_upcalls(row['counters_per_round'])} |")
    return "\n".join(lines)
