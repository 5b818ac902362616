"""Fuzz what reads untrusted bytes: `python -m tests.fuzz.run [-s SECONDS] [TARGET ...]`.

`kernels` is coverage-guided (libFuzzer) with the address and undefined-behavior sanitizers where clang 18 or newer is
installed; else random calls of a module that GCC's sanitizers watch. `headers` and `records` are mutations of the
corpus. What crashes, hangs or raises an error of another class joins `tests/fuzz/corpus/TARGET`, and the exit status
is 1.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).resolve().parent / "corpus"
TARGETS = ("kernels", "headers", "records")
CLANGS = ("clang", *(f"clang-{version}" for version in range(30, 17, -1)))
OLDEST_CLANG = 18
"""Older ones cannot compile the kernels."""

CHECKS = ["-fsanitize=fuzzer,address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"]


def find_clang() -> str | None:
    """Return a clang that compiles the kernels; None without one."""
    for name in filter(shutil.which, CLANGS):
        shown = subprocess.run([name, "-dumpversion"], capture_output=True, text=True, check=True).stdout
        if int(shown.split(".")[0]) >= OLDEST_CLANG:
            return name
    return None


def compile_target(clang: str, directory: Path) -> Path:
    """Compile the kernels and their fuzz target; returns the program."""
    (module,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
    library = sysconfig.get_config_var("LIBDIR")
    sources = [str(Path(__file__).with_name("fuzz_kernels.c")), *(str(ROOT / source) for source in module["sources"])]
    options = [option for option in module["extra-compile-args"] if option != "-O3"]
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / "fuzz_kernels"
    command = [
        clang,
        *options,
        *CHECKS,
        "-O1",
        "-g",
        "-fno-omit-frame-pointer",
        f"-I{sysconfig.get_paths()['include']}",
    ]
    command += [*sources, f"-L{library}", f"-lpython{sysconfig.get_config_var('LDVERSION')}", f"-Wl,-rpath,{library}"]
    command += [f"-l{name}" for name in module["libraries"]]
    subprocess.run([*command, "-o", str(program)], check=True)
    return program


def fuzz_kernels(seconds: int) -> int:
    """Fuzz the kernels, and return the exit status of what does it."""
    clang = find_clang()
    if clang is None:
        print("kernels: no clang from 18; random calls under GCC's sanitizers instead of libFuzzer", flush=True)
        return run_random_calls(seconds)
    print(f"kernels: libFuzzer of {clang}", flush=True)
    program = compile_target(clang, ROOT / "build/fuzz")
    kept, grown = CORPUS / "kernels", ROOT / "build/fuzz/kernels"
    grown.mkdir(exist_ok=True)
    command = [str(program), f"-max_total_time={seconds}", "-max_len=512", "-timeout=10", "-print_final_stats=1"]
    command += [f"-artifact_prefix={kept}{os.sep}", str(grown), str(kept)]
    # Leaks are the interpreter's own; with its allocator, accesses beside objects would not be seen.
    more = {"PYTHONHOME": sys.base_prefix, "PYTHONMALLOC": "malloc", "ASAN_OPTIONS": "detect_leaks=0"}
    ended = subprocess.run(command, env={**os.environ, **more}, stderr=subprocess.PIPE, text=True, check=False)
    lines = ended.stderr.splitlines()
    print(
        "\n".join(lines[-60:] if ended.returncode else [line for line in lines if line.startswith(("Done", "stat::"))])
    )
    return ended.returncode


def run_random_calls(seconds: int) -> int:
    """Call a module that GCC's sanitizers watch with random works."""
    directory = ROOT / "build/sanitized"
    build = [sys.executable, "-m", "tests.augment.plan.sanitized_kernels", str(directory)]
    module = subprocess.run(build, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    # Without C++'s own library the sanitizer ends the process where OpenCV raises an exception.
    finds = [["gcc", f"-print-file-name={name}"] for name in ("libasan.so", "libstdc++.so")]
    found = [subprocess.run(find, capture_output=True, text=True, check=True).stdout.strip() for find in finds]
    more = {"SANITIZED_KERNELS": module, "LD_PRELOAD": " ".join(found), "ASAN_OPTIONS": "detect_leaks=0"}
    command = [sys.executable, "-m", "tests.fuzz.random_calls", str(seconds)]
    return subprocess.run(command, env={**os.environ, **more}, cwd=ROOT, check=False).returncode


def fuzz_bytes(target: str, seconds: int) -> int:
    """Mutate the corpus of a target, in a process of its own: a reader that hangs is ended, and its input is kept."""
    command = [sys.executable, "-m", "tests.fuzz.readers", target, str(seconds)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    """Fuzz the targets one after another, each for its part of the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-s", type=int, default=300, help="seconds for all targets together")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; by default all")
    options = parser.parse_args()
    targets = options.targets or TARGETS
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"unknown targets: {sorted(unknown)}")
    seconds = max(1, options.s // len(targets))
    statuses = [fuzz_kernels(seconds) if name == "kernels" else fuzz_bytes(name, seconds) for name in targets]
    return int(any(statuses))


if __name__ == "__main__":
    sys.exit(main())
