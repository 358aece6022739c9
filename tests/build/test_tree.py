"""The tree keeps its promises: verbs, documented dependencies, places that CMake looks at."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERBS = "deps all pycaffe demo test bench lint check clean help".split()


def requirements(path: Path) -> dict[str, str]:
    """Package name -> version bound of a requirements file, its -r lines followed."""
    found: dict[str, str] = {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("-r"):
            found |= requirements(path.parent / line[2:].strip())
        elif line:
            name, bound = re.fullmatch(r"([\w-]+)(.*)", line).groups()
            found[name] = bound
    return found


def apt_packages() -> set[str]:
    script = (ROOT / "caffe/scripts/setup.sh").read_text()
    return set(re.search(r'^packages="(.*?)"', script, re.S | re.M).group(1).split())


def documented_dependencies() -> set[str]:
    """The names in the first column of README's dependency table."""
    section = (ROOT / "README.md").read_text().split("## Dependencies")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def tracked(pattern: str = "*") -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    names = subprocess.check_output(["git", "ls-files", "-z", pattern], cwd=ROOT, text=True)
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def test_help_lists_every_verb() -> None:
    text = subprocess.check_output(["make", "-s", "-C", ROOT, "help"], text=True)
    assert set(VERBS) <= {line.split()[0] for line in text.splitlines() if line.strip()}


@pytest.mark.parametrize("verb", ["demo", "test", "bench", "all", "pycaffe"])
def test_verb_does_the_set_up_itself(verb: str) -> None:
    plan = subprocess.check_output(["make", "-n", "-C", ROOT, verb], text=True)
    assert plan.index("setup.sh") < plan.index("cmake --build")


def test_readme_gives_a_reason_for_every_dependency_and_no_other() -> None:
    needed = apt_packages() | set(requirements(ROOT / "requirements.txt"))
    needed |= {"python3-dev", "python3-venv", "scikit-build-core"}
    assert documented_dependencies() == needed


def test_wheel_and_requirements_ask_for_the_same_versions() -> None:
    project = tomllib.loads((ROOT / "caffe/pyproject.toml").read_text())["project"]
    wanted = requirements(ROOT / "caffe/requirements.txt")
    for dependency in project["dependencies"]:
        name, bound = re.fullmatch(r"([\w-]+)(.*)", dependency).groups()
        assert wanted.get(name) == bound


def test_every_source_lies_where_cmake_looks() -> None:
    place = re.compile(r"caffe/(src/caffe/.+|tools/[^/]+|python/caffe/[^/]+)")
    for path in tracked("*.cpp"):
        assert place.fullmatch(path.relative_to(ROOT).as_posix()), path


def test_continuous_integration_runs_make_test() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert re.search(r"^(exec )?make test\b", script, re.M)


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    machine_path = re.compile(rb"/(work|root|home)/" + rb"\w")
    for path in tracked():
        if path.suffix in {".cpp", ".hpp", ".py", ".md", ".prototxt", ".sh", ".txt", ".toml", ""}:
            found = machine_path.search(path.read_bytes())
            assert not found, f"{path.relative_to(ROOT)}: {found.group()!r}"
