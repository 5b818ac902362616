"""The report: one self-contained HTML page, the charts, and the tables of the READMEs.

Everything is made from the rows in `benchmarks/results/`: the last kept run of each workload.
"""

import base64
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import charts
from benchmarks.run import RESULTS, read_latest
from benchmarks.workloads import RECIPES, WORKLOADS
from pipeline.errors import SourceError

ROOT = Path(__file__).resolve().parent.parent
LABELS = {name: one.about for recipe in WORKLOADS.values() for name, one in recipe.contenders.items()}
"""The contenders' labels; a user's own contender has its name as label."""

SUMMARY = ("caudal", "caudal-workers", "numpy-function", "keras-layers", "torch", "decode-limit")
"""The contenders in the summary of all workloads, which the main README shows."""

Row = Mapping[str, Any]


class Kept(NamedTuple):
    """The rows of the last kept runs.

    Attributes:
        rates: by workload.
    """

    rates: Mapping[str, Sequence[Row]]
    scaling: Sequence[Row]
    waiting: Sequence[Row]
    first: Sequence[Row]
    cores: Sequence[Row]
    gil: Sequence[Row]

    def list_rows(self) -> list[Row]:
        """List all rows."""
        return [row for rows in (*self.rates.values(), *self[1:]) for row in rows]


_STYLE = """
:root { color-scheme: light; } body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 66rem;
margin: 2rem auto; padding: 0 1rem; } h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; display: block;
overflow-x: auto; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; } tr.ours { font-weight: 600; }
img { max-width: 100%; height: auto; } .note { color: #555; }
"""


def write(results: Path = RESULTS, out: Path = ROOT / "benchmarks" / "report", *, readme: bool = False) -> list[Path]:
    """Write the report.

    Args:
        results: the folder with the kept rows.
        out: the folder for `index.html` and the charts.
        readme: also update the tables and charts of the READMEs.

    Returns:
        The written files.

    Raises:
        SourceError: there are no kept rows.
    """
    rates = {name: rows for name in WORKLOADS if name != "first-batch" and (rows := read_latest(name, results))}
    others = ("scaling", "waiting", "first-batch", "cores", "gil")
    kept = Kept(rates, *(read_latest(name, results) for name in others))
    if not any(kept):
        raise SourceError(f"no results in {results}; make some with `python -m benchmarks run --keep --data DIR`")
    pictures = _draw_pictures(kept.rates, kept.scaling)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, picture in pictures.items():
        written.append(out / f"{name}.png")
        written[-1].write_bytes(picture)
    page = _render_page(kept, pictures)
    (out / "index.html").write_text(page, encoding="utf-8")
    written.append(out / "index.html")
    if readme:
        written += _update_readmes(kept, pictures)
    return written


def _draw_pictures(rates: Mapping[str, Sequence[Row]], scaling: Sequence[Row]) -> dict[str, bytes]:
    charts_by_name = {}
    for name, rows in rates.items():
        # Reading is ten times as fast as anything else; its bar would shrink the others to a tenth.
        shown = [row for row in rows if row["peer"] != "read-limit"]
        if any(row["img_s_median"] is not None for row in shown):
            charts_by_name[name] = charts.draw_bars(
                shown, f"{name}: {WORKLOADS[name].about}", LABELS, f"{WORKLOADS[name].unit}/s"
            )
    for axis, title, label in (
        ("calls", "full: parallel calls", "parallel calls"),
        ("images", "full: images per epoch", "images per epoch"),
    ):
        if any(row["axis"] == axis for row in scaling):
            charts_by_name[f"scaling-{axis}"] = charts.draw_curves(scaling, axis, title, label, LABELS)
    return charts_by_name


def _render_page(kept: Kept, pictures: Mapping[str, bytes]) -> str:
    parts = [
        "<h1>Caudal: benchmarks</h1>",
        "<p>Each contender runs in its own process. Contenders take turns, round by round, after one warm-up round. "
        "Each was audited first: every sample once, right shapes, labels of the files, pixels that correlate with the "
        "files. Rates are medians with minimum and maximum over the rounds; CPU time and memory are those of the whole "
        "process tree. Compare only ratios within one workload's run.</p>",
        *_describe_environment(kept.list_rows()),
    ]
    for name, rows in kept.rates.items():
        parts += [f"<h2 id='{name}'>{name}</h2>", f"<p>{_escape(WORKLOADS[name].about)}. {_describe_run(rows)}</p>"]
        parts += [
            _embed_image(pictures, name),
            _render_html_table(*_tabulate_rates(rows, WORKLOADS[name].unit)),
            *_describe_failures(rows),
        ]
    if kept.first:
        parts += [
            "<h2>first batch</h2>",
            f"<p>{_describe_run(kept.first)}</p>",
            _render_html_table(*_tabulate_first_batches(kept.first)),
            *_describe_failures(kept.first),
        ]
    for axis in ("calls", "images"):
        if f"scaling-{axis}" in pictures:
            parts += [f"<h2>scaling: {axis}</h2>", _embed_image(pictures, f"scaling-{axis}")]
            parts.append(_render_html_table(*_tabulate_scaling([row for row in kept.scaling if row["axis"] == axis])))
    for title, about, rows, tabulate in (
        (
            "cores",
            "Caudal's threads: images/s, and the fraction of as many times one call.",
            kept.cores,
            _tabulate_cores,
        ),
        ("gil", "The GIL per image: see `benchmarks/gil.py`.", kept.gil, _tabulate_gil),
        ("waiting", "A training step on the loader, and one on a batch in memory.", kept.waiting, _tabulate_waits),
    ):
        if rows:
            parts += [f"<h2>{title}</h2>", f"<p>{_escape(about)}</p>", _render_html_table(*tabulate(rows))]
    return (
        "<!doctype html>\n<html lang='en'>\n<head><meta charset='utf-8'><title>Caudal: benchmarks</title>"
        "<meta name='viewport' content='width=device-width'><link rel='icon' href='data:,'>"
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def _label(row: Row) -> str:
    return LABELS.get(peer := str(row["peer"]), peer)


def _tabulate_rates(rows: Sequence[Row], unit: str) -> Table:
    ours = next((row["img_s_median"] for row in rows if row["peer"] == "caudal"), None)
    one = unit.removesuffix("s")
    head = (
        "",
        f"{unit}/s",
        "min",
        "max",
        "Caudal / it",
        f"CPU ms per {one}",
        "peak MiB",
        "first batch s",
    )
    body = [
        (
            _label(row),
            f"{row['img_s_median']:,.0f}",
            f"{row['img_s_min']:,.0f}",
            f"{row['img_s_max']:,.0f}",
            f"{ours / row['img_s_median']:.2f}" if ours else "",
            f"{1000 * row['cpu_s_per_img']:.2f}",
            f"{row['peak_rss_mb']:,.0f}",
            f"{row['first_batch_s']:.2f}",
        )
        for row in rows
        if row["img_s_median"] is not None
    ]
    return head, body


def _tabulate_first_batches(rows: Sequence[Row]) -> Table:
    timed = sorted((row for row in rows if row["first_batch_s"] is not None), key=lambda row: row["first_batch_s"])
    head = ("", "seconds", "peak MiB")
    return head, [(_label(row), f"{row['first_batch_s']:.2f}", f"{row['peak_rss_mb']:,.0f}") for row in timed]


def _tabulate_scaling(rows: Sequence[Row]) -> Table:
    values = sorted({row["value"] for row in rows})
    peers = list(dict.fromkeys(row["peer"] for row in rows))
    found = {(row["peer"], row["value"]): row["img_s_median"] for row in rows}
    body = [
        (
            LABELS.get(peer, peer),
            *("" if (rate := found.get((peer, value))) is None else f"{rate:,.0f}" for value in values),
        )
        for peer in peers
    ]
    return ("images/s", *(f"{value:,}" for value in values)), body


def _tabulate_waits(rows: Sequence[Row]) -> Table:
    head = ("", "pixels", "images/s from the loader", "from memory", "a step takes")
    return head, [
        (
            row["model"],
            " x ".join(map(str, row["image_size"])),
            f"{row['loader_img_s']:,.1f}",
            f"{row['memory_img_s']:,.1f}",
            f"{row['step_costs']:.2f} x ({row['step_costs_min']:.2f} to {row['step_costs_max']:.2f})",
        )
        for row in rows
    ]


def _tabulate_cores(rows: Sequence[Row]) -> Table:
    """Make a table with a row per workload, and a column per number of calls."""
    calls = sorted({row["calls"] for row in rows})
    found = {(row["workload"], row["calls"]): f"{row['img_s_median']:,.0f} ({row['ratio']:.2f})" for row in rows}
    workloads = list(dict.fromkeys(row["workload"] for row in rows))
    simulated = rows[0]["simulated"]
    kind = "on real processors" if simulated is None else f"on {simulated} simulated processors"
    head = (f"images/s {kind}", *(f"{number:,}" for number in calls))
    return head, [(name, *(found.get((name, number), "") for number in calls)) for name in workloads]


def _tabulate_gil(rows: Sequence[Row]) -> Table:
    head = (
        "",
        "GIL held us",
        "native us",
        "outside batches us",
        "acquisitions per image",
        "per chunk",
        "images per chunk",
    )
    return head, [
        (
            row["workload"],
            f"{row['gil_us']:.1f} ({row['gil_us_min']:.1f} to {row['gil_us_max']:.1f})",
            f"{row['native_us']:,.1f}",
            f"{row['outside_us']:.1f}",
            f"{row['acquired_per_image']:.2f}",
            *("" if row[name] is None else f"{row[name]:.1f}" for name in ("acquired_per_chunk", "images_per_chunk")),
        )
        for row in rows
    ]


def _describe_environment(rows: Sequence[Row]) -> Iterable[str]:
    yield "<h2>environment</h2>"
    machines = {(row["cpu"], row["cpus"], row["memory_gib"], row["system"]) for row in rows}
    for cpu, cpus, memory, system in sorted(machines):
        yield f"<p>{_escape(cpu)}, {cpus} usable processors, {memory} GiB, {_escape(system)}.</p>"
    loads, dates = [row["load_average"] for row in rows], sorted({row["date"] for row in rows})
    yield f"<p>Load average {min(loads)} to {max(loads)}; {_escape(', '.join(dates))}.</p>"
    seen: dict[str, set[str]] = {}
    for row in rows:
        for name, version in row["versions"].items():
            seen.setdefault(name, set()).add(version)
    listed = ", ".join(f"{name} {' and '.join(sorted(versions))}" for name, versions in sorted(seen.items()))
    yield f"<p class='note'>{_escape(listed)}</p>"


def _describe_run(rows: Sequence[Row]) -> str:
    row = rows[0]
    cache = f", page cache {row['page_cache']}" if "page_cache" in row else ""
    return (
        f"{row['samples']:,} samples, batches of {row['batch_size']}, {row['parallel']} parallel calls, "
        f"{max(row['rounds'] for row in rows)} rounds{cache}; load average {row['load_average']}, {row['date']}."
    )


def _describe_failures(rows: Iterable[Row]) -> Iterable[str]:
    for row in rows:
        if row["img_s_median"] is None:
            yield f"<p class='note'>{_escape(_label(row))}: not timed, {_escape(str(row['failed']))}</p>"


def _embed_image(pictures: Mapping[str, bytes], name: str) -> str:
    if name not in pictures:
        return ""
    data = base64.b64encode(pictures[name]).decode()
    return f"<img id='chart-{name}' alt='{name}' src='data:image/png;base64,{data}'>"


def _render_html_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str], style: str = "") -> str:
        return f"<tr{style}>" + "".join(f"<{tag}>{_escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    rows = [line("td", cells, " class='ours'" if cells[0] == "Caudal" else "") for cells in body]
    return "<table>\n" + "\n".join([line("th", head), *rows]) + "\n</table>"


def _escape(value: str) -> str:
    return html.escape(value.replace("`", ""))


def _render_markdown_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _update_readmes(kept: Kept, pictures: Mapping[str, bytes]) -> list[Path]:
    """Replace the text between the marks `<!-- NAME -->` and `<!-- /NAME -->`, and the chart."""
    sections: dict[str, Callable[[], str]] = {"summary": lambda: _tabulate_summary(kept.rates)}
    for name, rows in kept.rates.items():
        sections[name] = lambda rows=rows, unit=WORKLOADS[name].unit: _render_section(rows, unit)  # type: ignore[misc]  # mypy cannot infer a default's type
    if kept.scaling:
        for axis in ("calls", "images"):
            chosen = [row for row in kept.scaling if row["axis"] == axis]
            sections[f"scaling-{axis}"] = lambda chosen=chosen: _render_markdown_table(*_tabulate_scaling(chosen))  # type: ignore[misc]
    for name, rows, tabulate in (
        ("waiting", kept.waiting, _tabulate_waits),
        ("cores", kept.cores, _tabulate_cores),
        ("gil", kept.gil, _tabulate_gil),
    ):
        if rows:
            sections[name] = lambda rows=rows, tabulate=tabulate: _render_markdown_table(*tabulate(rows))  # type: ignore[misc]
    if kept.first:
        sections["first-batch"] = lambda: (
            f"{_describe_run(kept.first)}\n\n{_render_markdown_table(*_tabulate_first_batches(kept.first))}"
        )
    written = []
    for path in (ROOT / "README.md", ROOT / "benchmarks" / "README.md"):
        text = old = path.read_text()
        for name, make in sections.items():
            text = _replace_between(text, name, make)
        if text != old:
            path.write_text(text)
            written.append(path)
    if "full" in pictures:
        picture = ROOT / "docs" / "benchmark-full.png"
        picture.write_bytes(pictures["full"])
        written.append(picture)
    return written


def _replace_between(text: str, name: str, make: Callable[[], str]) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    return f"{head}{begin}\n{make()}\n{end}{tail}" if found and closed else text


def _render_section(rows: Sequence[Row], unit: str) -> str:
    lines = [_describe_run(rows), "", _render_markdown_table(*_tabulate_rates(rows, unit))]
    for row in rows:
        if row["img_s_median"] is None:
            lines += ["", f"{_label(row)}: not timed, {row['failed']}"]
    return "\n".join(lines)


def _tabulate_summary(rates: Mapping[str, Sequence[Row]]) -> str:
    """Make the table of all workloads: images/s, one row per contender of `SUMMARY`."""
    found = {name: {row["peer"]: row["img_s_median"] for row in rates[name]} for name in RECIPES if name in rates}
    peers = [name for name in SUMMARY if any(name in rates for rates in found.values())]
    body = [
        (LABELS[peer], *("" if (rate := rates.get(peer)) is None else f"{rate:,.0f}" for rates in found.values()))
        for peer in peers
    ]
    return _render_markdown_table(("images/s", *found), body)
