"""caffe/scripts/setup.sh on machines that lack this or that, played by stand-in programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "caffe" / "scripts" / "setup.sh"


class Machine:
    """A PATH of stand-ins for apt-get, dpkg-query, id and sudo; every call of apt-get is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a machine"  # with a space, as people's folders have
        self.programs = folder / "bin"
        self.calls = folder / "apt-calls"
        self.folder.mkdir()
        self.programs.mkdir()
        self.calls.touch()
        for name in ("cat", "dirname", "basename", "env", "sed", "rm"):
            (self.programs / name).symlink_to(f"/usr/bin/{name}")
        self.program("python3", f'exec "{sys.executable}" "$@"')
        self.program("apt-get", f'echo "$*" >>"{self.calls}"')
        self.program("dpkg-query", 'echo "install ok installed"')
        self.program("id", "echo 0")
        (self.folder / "requirements.txt").write_text("# none\n")

    def program(self, name: str, body: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def set_up(self, *folders: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", SCRIPT, ".venv", "requirements.txt", *folders],
            cwd=self.folder,
            env={"PATH": str(self.programs), "HOME": str(self.folder), **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    @property
    def installed(self) -> str:
        return "".join(
            line for line in self.calls.read_text().splitlines(True) if " install " in line
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def lack(machine: Machine, package: str) -> None:
    machine.program("dpkg-query", f'case "$*" in *{package}) exit 1;; *) echo "x installed";; esac')


def make_environment(machine: Machine) -> Path:
    """An environment as the script would have left it; its pip is never asked for anything."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", machine.folder / ".venv"], check=True
    )
    (machine.folder / ".venv" / "requirements.installed").write_text("")
    return machine.folder / ".venv"


def test_missing_package_is_installed_and_named(machine: Machine) -> None:
    make_environment(machine)
    lack(machine, "libdnnl-dev")
    result = machine.set_up()
    assert result.returncode == 0, result.stderr
    assert "installing with apt: libdnnl-dev" in result.stderr
    assert machine.installed.split()[-1] == "libdnnl-dev"
    assert "cmake" not in machine.installed


def test_other_people_than_root_install_through_sudo(machine: Machine) -> None:
    make_environment(machine)
    lack(machine, "cmake")
    machine.program("id", "echo 1000")
    machine.program("sudo", f'echo "sudo $*" >>"{machine.calls}"')
    assert machine.set_up().returncode == 0
    assert machine.installed.startswith("sudo env DEBIAN_FRONTEND=noninteractive apt-get")
    assert "cmake" in machine.installed


def test_without_root_and_sudo_it_says_what_to_install(machine: Machine) -> None:
    lack(machine, "libhdf5-dev")
    machine.program("id", "echo 1000")
    result = machine.set_up()
    assert result.returncode == 1
    assert "neither root nor sudo" in result.stderr and "libhdf5-dev" in result.stderr


def test_nothing_is_done_or_said_when_all_is_there(machine: Machine) -> None:
    make_environment(machine)
    result = machine.set_up()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert machine.calls.read_text() == ""


def test_folders_are_put_on_the_import_path_once(machine: Machine) -> None:
    environment = make_environment(machine)
    (machine.folder / "caffe python").mkdir()
    (machine.folder / "caffe python" / "found_by_path.py").write_text("answer = 42\n")
    first, second = machine.set_up("caffe python"), machine.set_up("caffe python")
    assert "import path" in first.stderr and second.stderr == ""
    code = "import found_by_path; print(found_by_path.answer)"
    answer = subprocess.run(
        [environment / "bin" / "python", "-c", code], capture_output=True, text=True
    )
    assert answer.stdout == "42\n", answer.stderr


def test_linked_environment_keeps_its_import_path(machine: Machine, tmp_path: Path) -> None:
    environment = make_environment(machine)
    environment.rename(tmp_path / "shared environment")
    environment.symlink_to(tmp_path / "shared environment")
    assert machine.set_up(".").returncode == 0
    assert not list((tmp_path / "shared environment").rglob("segflow_tree.pth"))


def test_unknown_python_is_refused_by_name(machine: Machine) -> None:
    result = machine.set_up(PYTHON="python3.99")
    assert result.returncode == 1 and "PYTHON=python3.99: no such program" in result.stderr


def test_python_too_old_is_refused_with_a_way_out(machine: Machine) -> None:
    machine.program("python-old", 'case "$1" in -c) echo /opt/old;; *) exit 1;; esac')
    result = machine.set_up(PYTHON="python-old")
    assert result.returncode == 1
    assert "needs Python >= 3.11" in result.stderr and "PYTHON=" in result.stderr


def test_missing_requirements_file_is_named(machine: Machine) -> None:
    os.remove(machine.folder / "requirements.txt")
    result = machine.set_up()
    assert result.returncode == 1 and "requirements.txt: no such file" in result.stderr
