"""`caudal text`: augment a file of sentences, or preview the result."""

import difflib
import re
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caudal.commands.options import DelimiterOption, JsonOption, LabelColumnOption, TextColumnOption, column
from caudal.commands.options import delimiter as parse_delimiter
from caudal.output import escape_unprintable, print_contents, print_json, print_line, progress_bar

if TYPE_CHECKING:
    from rich.text import Text

    from augment.text import EDA
    from pipeline import TextFormat

text = typer.Typer(
    name="text",
    help="Augment sentences (EDA: synonyms, insertions, swaps, deletions), or preview the result.",
    add_completion=False,
    rich_markup_mode=None,
)


@text.callback(invoke_without_command=True)
def _without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


_AlphaSr = Annotated[float, typer.Option("--alpha-sr", min=0, max=1, help="Fraction of words to replace.")]
_AlphaRi = Annotated[float, typer.Option("--alpha-ri", min=0, max=1, help="Insertions, as a fraction of the words.")]
_AlphaRs = Annotated[float, typer.Option("--alpha-rs", min=0, max=1, help="Fraction of words that are swapped.")]
_PRd = Annotated[float, typer.Option("--p-rd", min=0, max=1, help="Probability of deleting a word.")]
_Mode = Annotated[str, typer.Option("--mode", help="fixed (keeps case and punctuation) or paper (as published).")]
_Language = Annotated[
    str,
    typer.Option("--language", metavar="ISO", help="eng, or another language of nltk's WordNet (fra, spa, jpn, ...)."),
]
_Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all random numbers.")]
_Format = Annotated[
    str | None,
    typer.Option("--format", help="'label text', text, tsv, csv or jsonl.", show_default="by the extension"),
]


@text.command(short_help="Write each sentence and its variants to a file.")
def augment(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="`label text` lines, .tsv, .csv or .jsonl.", show_default=False)
    ],
    destination: Annotated[
        str, typer.Argument(metavar="OUT", help="Output file, in the same format.", show_default=False)
    ],
    num_aug: Annotated[int, typer.Option(min=1, help="Variants per sentence.")] = 9,
    alpha_sr: _AlphaSr = 0.1,
    alpha_ri: _AlphaRi = 0.1,
    alpha_rs: _AlphaRs = 0.1,
    p_rd: _PRd = 0.1,
    mode: _Mode = "fixed",
    language: _Language = "eng",
    seed: _Seed = 0,
    original: Annotated[bool, typer.Option(help="Also write the original sentence, before its variants.")] = True,
    format: _Format = None,  # noqa: A002  # the option's name
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    delimiter: DelimiterOption = None,
    encoding: Annotated[str, typer.Option(help="Encoding of the input; output is UTF-8.")] = "utf-8",
    fallback: Annotated[
        str, typer.Option(help="Encoding for texts that --encoding cannot decode; none skips them.")
    ] = "latin-1",
    processes: Annotated[
        int | None, typer.Option(min=1, help="Number of processes.", show_default="processors")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT when the new file is complete.")] = False,
    json: JsonOption = False,
) -> None:
    """Write each sentence and its variants; run the command again to resume."""
    from pipeline import TextFormat
    from pipeline.processors import count_processors
    from pipeline.texts.augment_file import TextJob, augment_file

    job = TextJob(
        eda=_make_eda(alpha_sr, alpha_ri, alpha_rs, p_rd, mode, language, num_aug),
        seed=seed,
        keep_original=original and mode != "paper",  # in that mode the variants end with the cleaned original
        format=TextFormat(
            format,  # type: ignore[arg-type]  # it checks the name
            text_column=column(text_column),
            label_column=column(label_column),
            delimiter=parse_delimiter(delimiter),
            encoding=encoding,
            fallback=None if fallback == "none" else fallback,
        ),
        processes=processes or count_processors(),
    )
    begin = time.perf_counter()
    with progress_bar("augmenting", "sentences") as progress:
        report = augment_file(source, destination, job, overwrite=overwrite, progress=progress)
    seconds = time.perf_counter() - begin
    if json:
        print_json(report)
        return
    for row in report["skipped"]:
        print_line(f"skipped: {row['row']}: {row['reason']}")
    done = f", {report['resumed']:,} of them from an earlier run" if report["resumed"] else ""
    print_line(
        f"{report['rows']:,} sentences{done}; {report['written']:,} written, {len(report['skipped']):,} skipped, "
        f"{report['recoded']:,} not in {encoding}; {seconds:.1f} s"
    )


@text.command(short_help="Show sentences and their variants side by side.")
def preview(
    source: Annotated[
        str | None,
        typer.Argument(metavar="SRC", help="Class-folder, TFRecords, or a file of sentences.", show_default=False),
    ] = None,
    sentence: Annotated[
        str | None, typer.Option("--text", metavar="SENTENCE", help="Sentence to augment, instead of SRC.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Number of sentences, sampled from SRC by --seed.", show_default="3")
    ] = None,
    num_aug: Annotated[int, typer.Option(min=1, help="Variants per sentence.")] = 4,
    alpha_sr: _AlphaSr = 0.1,
    alpha_ri: _AlphaRi = 0.1,
    alpha_rs: _AlphaRs = 0.1,
    p_rd: _PRd = 0.1,
    mode: _Mode = "fixed",
    language: _Language = "eng",
    seed: _Seed = 0,
    format: _Format = None,  # noqa: A002  # the option's name
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    delimiter: DelimiterOption = None,
    json: JsonOption = False,
) -> None:
    """Show sentences and their variants side by side, with differences in color."""
    from pipeline import TextFormat

    eda = _make_eda(alpha_sr, alpha_ri, alpha_rs, p_rd, mode, language, num_aug)
    if (source is None) == (sentence is None):
        raise typer.BadParameter("preview needs SRC or --text SENTENCE, and not both")
    if sentence is not None:
        of_rows = {"--count": count, "--format": format, "--text-column": text_column, "--label-column": label_column}
        if unused := [name for name, value in (of_rows | {"--delimiter": delimiter}).items() if value is not None]:
            raise typer.BadParameter(f"{', '.join(unused)} needs SRC: --text is one sentence")
        samples, contents = [(0, "", sentence)], dict[str, Any]()
    else:
        text_format = TextFormat(
            format,  # type: ignore[arg-type]  # it checks the name
            text_column=column(text_column),
            label_column=column(label_column),
            delimiter=parse_delimiter(delimiter),
        )
        samples, contents = _draw_texts(str(source), count or 3, seed, text_format)
    pairs = [(key, original, eda(original, (seed, 0, index))) for index, key, original in samples]
    if json:
        sentences = [{"key": key, "text": text, "variants": variants} for key, text, variants in pairs]
        print_json({"sentences": sentences} | contents)
        return
    for key, original, variants in pairs:
        _print_pair(key, original, variants)
    if contents:
        print_contents(contents)


def _make_eda(
    alpha_sr: float, alpha_ri: float, alpha_rs: float, p_rd: float, mode: str, language: str, num_aug: int
) -> "EDA":
    from augment.text import EDA, NltkSynonyms

    options: dict[str, Any] = {} if language == "eng" else {"synonyms": NltkSynonyms(language), "stop_words": ()}
    return EDA(alpha_sr, alpha_ri, alpha_rs, p_rd, num_aug, mode, **options)  # type: ignore[arg-type]  # it checks mode


def _draw_texts(
    source: str, count: int, seed: int, text_format: "TextFormat"
) -> tuple[list[tuple[int, str, str]], dict[str, Any]]:
    """Return (index, key, text) of some samples, and what the source contains besides samples."""
    from augment import keys
    from pipeline.sampling.order import Order
    from pipeline.sources.text import open_text_source
    from pipeline.texts.stages import TextDecoder

    opened = open_text_source(source, text_format=text_format)
    order, decode = Order(size=len(opened), key=keys.root(seed)), TextDecoder()
    samples = [(index, opened.read(index)) for index in order(0, range(min(count, len(opened)))).tolist()]
    texts = [(index, sample.key, decode(sample.key, sample.encoded or b"")) for index, sample in samples]
    empty = list(getattr(opened, "empty_classes", ()))
    return texts, {"ignored_files": dict(opened.ignored_files), "empty_classes": empty}


def _print_pair(key: str, original: str, variants: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(escape_unprintable(key)) if key else None, title_justify="left", show_lines=True, expand=True
    )
    table.add_column("sentence", ratio=1)
    table.add_column("variant", ratio=1)
    for variant in variants:
        table.add_row(*_color_differences(original, variant))
    Console().print(table)


def _color_differences(original: str, variant: str) -> "tuple[Text, Text]":
    """Color the removed words of a sentence red, and the new words of its variant green."""
    from rich.text import Text

    before, after = re.findall(r"\s+|\S+", original), re.findall(r"\s+|\S+", variant)
    left, right = Text(), Text()
    for kind, first, last, start, end in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        left.append(_join_printable(before[first:last]), "" if kind == "equal" else "bold red")
        right.append(_join_printable(after[start:end]), "" if kind == "equal" else "bold green")
    return left, right


def _join_printable(words: list[str]) -> str:
    return "".join(" " if word.isspace() else escape_unprintable(word) for word in words)
