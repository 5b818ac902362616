"""The layers: imports point one way and have no effects, and nothing executes foreign code."""

import ast
import importlib
import json
import pkgutil
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LAYERS = ["augment", "pipeline", "training", "caudal"]
"""Each may import the layers before it."""


def trees(root: Path, *packages: str) -> Iterator[tuple[str, ast.Module]]:
    """Parse every file of some packages: (path below the root, tree)."""
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            yield str(path.relative_to(root)), ast.parse(path.read_text())


def collect_imports(tree: ast.Module) -> set[str]:
    """Collect the modules that a file imports anywhere, in functions and for type checking as well."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


@pytest.mark.parametrize("package", LAYERS)
def test_imports_point_one_way(package: str, project_root: Path) -> None:
    """No file imports a layer above its own: augment <- pipeline <- training <- caudal <- benchmarks, tests."""
    above = {*LAYERS[LAYERS.index(package) + 1 :], "benchmarks", "tests"}
    files = dict(trees(project_root, package))
    assert files
    wrong = {
        path: sorted(found)
        for path, tree in files.items()
        if (found := {name.split(".")[0] for name in collect_imports(tree)} & above)
    }
    assert wrong == {}


def module_graph(root: Path) -> dict[str, set[str]]:
    """Find the modules that each module imports: at its top, in functions, and for type checking.

    `from package import name` is an import of the module `package.name` if there is one, and of `package` otherwise.
    That importing a module runs its packages' `__init__` first does not count: those import nothing when they run.
    """
    files = {
        ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__"): tree
        for path, tree in trees(root, *LAYERS, "benchmarks")
    }
    graph: dict[str, set[str]] = {}
    for module, tree in files.items():
        names = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                own = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= {name if name in files else str(node.module) for name in own}
        graph[module] = (names & files.keys()) - {module}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Find the groups of nodes that can all be reached from each other (Tarjan's strongly connected components)."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        numbers[node] = lowest[node] = len(numbers)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in numbers:
                visit(other)
            if other in stack:
                lowest[node] = min(lowest[node], lowest[other])
        if lowest[node] == numbers[node]:
            members = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(members) > 1:
                found.append(sorted(members))

    for node in sorted(graph):
        if node not in numbers:
            visit(node)
    return found


def test_circles_are_found() -> None:
    """Two circles that share a module are one; a chain is none."""
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": {"c", "e"}, "e": set(), "x": {"y"}, "y": {"x", "a"}}
    assert circles(graph) == [["b", "c", "d"], ["x", "y"]]


def test_no_modules_import_each_other(project_root: Path) -> None:
    """There is no circle of imports, also not of imports in functions or for type checking only."""
    graph = module_graph(project_root)
    assert "augment.keys" in graph["augment.transform"]
    assert "training.fit" in graph["training"]
    assert "pipeline" in graph["caudal.commands.options"]
    assert circles(graph) == []


def test_augment_knows_neither_tensorflow_nor_files_of_datasets(project_root: Path) -> None:
    """The lowest layer imports no TensorFlow, Keras or protobuf."""
    for path, tree in trees(project_root, "augment"):
        assert {name.split(".")[0] for name in collect_imports(tree)} & {"tensorflow", "keras", "google"} == set(), path


def test_imports_are_absolute_and_explicit(project_root: Path) -> None:
    """No relative imports, and no star imports."""
    for path, tree in trees(project_root, *LAYERS):
        assert not [name for name in collect_imports(tree) if name.startswith(".")], path
        stars = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
        assert not stars, path


def test_nothing_that_runs_what_a_file_says_is_used(project_root: Path) -> None:
    """No pickle from a file, no `eval` or `exec`, no `allow_pickle=True`: a dataset is data."""
    picklers = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
    for path, tree in trees(project_root, *LAYERS):
        between_processes = {"pickle"} if path == "pipeline/workers/serialization.py" else set()
        assert collect_imports(tree) & picklers == between_processes, path
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                assert not (isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec")), path
                allowed = [word.value for word in node.keywords if word.arg == "allow_pickle"]
                assert all(isinstance(value, ast.Constant) and value.value is False for value in allowed), path


def sort_key(name: str) -> tuple[int, str]:
    """Sort constants before classes before the others, as Ruff does."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("package", LAYERS)
def test_what_a_package_offers_is_there_and_sorted(package: str) -> None:
    """`__all__` is sorted, holds only names that exist, and `dir` shows them all."""
    module = importlib.import_module(package)
    assert sorted(module.__all__, key=sort_key) == module.__all__
    assert all(hasattr(module, name) for name in module.__all__)
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        module.nothing  # noqa: B018  # asking for it is the test


def test_caudal_offers_what_the_packages_offer() -> None:
    """Every public name of `augment`, `pipeline` and `training` is the same object in `caudal`."""
    import caudal
    import caudal.errors

    for package in map(importlib.import_module, ("augment", "pipeline", "training")):
        for name in set(package.__all__) - {"errors"}:
            assert getattr(caudal, name) is getattr(package, name), name
    assert caudal.EDA is caudal.text.EDA
    errors = [caudal.CaudalError]
    while errors:
        error = errors.pop()
        assert getattr(caudal.errors, error.__name__) is error
        errors += [one for one in error.__subclasses__() if one.__module__.split(".")[0] in LAYERS]


def test_no_module_takes_the_place_of_a_public_name(project_root: Path) -> None:
    """No module of `caudal` has the name of a public function or class: importing it would replace that."""
    import caudal

    modules = {module.name for module in pkgutil.iter_modules([str(project_root / "caudal")])}
    assert modules & set(caudal.__all__) == {"errors"}
    assert isinstance(caudal.errors, types.ModuleType)


@pytest.mark.parametrize("package", ["augment", "caudal", "pipeline"])
def test_type_checkers_see_what_a_lazy_package_offers(package: str, project_root: Path) -> None:
    """What is imported for type checking is what the package offers."""
    tree = ast.parse((project_root / package / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    names = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    names |= {str(ast.unparse(node.target)) for node in block.body if isinstance(node, ast.AnnAssign)}
    assert names == set(importlib.import_module(package).__all__)


def test_importing_caudal_imports_no_library(run_python: Callable[..., str]) -> None:
    """`import caudal` takes milliseconds: NumPy is imported when it is used."""
    code = "import sys, caudal; print(*sorted({'numpy', 'cv2', 'pipeline', 'training', 'typer'} & set(sys.modules)))"
    assert run_python(code).strip() == ""


WATCHED_IMPORT = """
import json, os, random, socket, sys
import numpy as np

effects = []

def watch(event, arguments):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        effects.append([event, repr(arguments[1:])])
    if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path, mode, flags = arguments
        if (isinstance(mode, str) and set(mode) & set("wax+")) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            effects.append([event, os.fsdecode(path)])
    if event in ("os.mkdir", "os.rename", "os.remove", "os.symlink", "subprocess.Popen", "os.system", "os.exec"):
        effects.append([event, repr(arguments)])

random.seed(3)
np.random.seed(3)
before = random.getstate(), np.random.get_state()
sys.addaudithook(watch)
import PACKAGE
after = random.getstate(), np.random.get_state()
print(json.dumps({
    "effects": effects,
    "same_random": before[0] == after[0],
    "same_numpy": all(np.array_equal(one, other) for one, other in zip(before[1], after[1])),
    "heavy": sorted({"tensorflow", "keras", "matplotlib", "sklearn", "albumentations", "nltk"} & set(sys.modules)),
}))
"""


@pytest.mark.parametrize("package", LAYERS)
def test_importing_has_no_effect(package: str, run_python: Callable[..., str], tmp_path: Path) -> None:
    """Importing opens no connection, writes no file, starts and seeds nothing, and leaves heavy libraries for later."""
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    printed = run_python(WATCHED_IMPORT.replace("PACKAGE", package), PYTHONDONTWRITEBYTECODE="1", **home)
    assert json.loads(printed) == {"effects": [], "same_random": True, "same_numpy": True, "heavy": []}
    assert list(tmp_path.iterdir()) == []


def test_using_the_augmentation_asks_no_server(run_python: Callable[..., str], tmp_path: Path) -> None:
    """The first transform imports Albumentations, which would ask for its newest version, and does not."""
    code = (
        "import os, sys\n"
        "os.environ.pop('NO_ALBUMENTATIONS_UPDATE', None)\n"
        "connections = []\n"
        "sys.addaudithook(lambda event, arguments: event in ('socket.connect', 'socket.getaddrinfo')"
        " and connections.append(arguments))\n"
        "import augment\n"
        "try: augment.KeyedTransform(3)\n"
        "except augment.TransformError: pass\n"
        "print('albumentations' in sys.modules, len(connections))\n"
    )
    assert run_python(code, HOME=str(tmp_path)).split() == ["True", "0"]
    assert list(tmp_path.iterdir()) == []
