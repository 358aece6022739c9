#!/bin/sh
# Sets up a machine: apt packages, and a virtual environment with Python packages.
#
#   setup.sh VENV REQUIREMENTS [FOLDER...]
#
# Installs what is missing and says so on stderr; does nothing when all is there. VENV is made
# from $PYTHON (default: a python3 >= 3.11 that has its headers, else the system's) and gets the
# packages of the file REQUIREMENTS; each FOLDER is put on its import path. A VENV that is a
# symbolic link belongs to somebody else: its packages are completed, its path is left alone.
set -eu

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

[ $# -ge 2 ] || fail "usage: setup.sh VENV REQUIREMENTS [FOLDER...]"
venv=$1 requirements=$2
shift 2
[ -f "$requirements" ] || fail "$requirements: no such file"

packages="cmake ninja-build ccache g++ libprotobuf-dev protobuf-compiler libdnnl-dev
  libopenblas-openmp-dev libhdf5-dev libpng-dev libjpeg-dev libgtest-dev
  openmpi-bin libopenmpi-dev"

# Installs those of the named apt packages that are not there.
install_packages() {
  missing=
  for package in "$@"; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
      *" installed") ;;
      *) missing="$missing $package" ;;
    esac
  done
  [ -n "$missing" ] || return 0
  as_root=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "neither root nor sudo: have these installed:$missing"
    as_root="sudo"
  fi
  say "installing with apt:$missing"
  apt_get="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300"
  $apt_get update >&2 </dev/null || say "apt-get update failed; trying with the lists that are there"
  # shellcheck disable=SC2086 # words on purpose
  $apt_get install -y --no-install-recommends $missing >&2 </dev/null ||
    fail "apt-get could not install:$missing"
}

# Whether $1 is a Python that can make a virtual environment and compile a module.
usable() {
  "$1" - 2>/dev/null <<'PYTHON'
import ensurepip, os, sys, sysconfig, venv
header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
sys.exit(sys.version_info < (3, 11) or not os.path.exists(header))
PYTHON
}

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
  # shellcheck disable=SC2086 # words on purpose
  install_packages $packages
else
  apt_get=
  say "no apt-get here: what the build needs must be installed by hand, see README.md"
fi

if [ -n "${PYTHON:-}" ]; then
  python=$(command -v "$PYTHON") || fail "PYTHON=$PYTHON: no such program"
  made_from=$("$python" -c 'import sys; print(sys.version)')
  if [ -x "$venv/bin/python" ] && [ "$made_from" != "$("$venv/bin/python" -c 'import sys; print(sys.version)')" ]; then
    [ ! -L "$venv" ] || fail "$venv is a link to an environment of another Python than $PYTHON"
    say "making $venv anew: it is of another Python than $PYTHON"
    rm -rf "$venv"
  fi
else
  python=$(command -v python3 || echo /usr/bin/python3)
fi

if [ ! -x "$venv/bin/python" ]; then
  if ! usable "$python" && command -v apt-get >/dev/null; then
    if [ -n "${PYTHON:-}" ]; then
      # A distribution's Python comes without its headers: python3.12 -> python3.12-dev
      version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
      case $("$python" -c 'import sys; print(sys.base_prefix)') in
        /usr) install_packages "$version-dev" "$version-venv" ;;
      esac
    else
      python=/usr/bin/python3
      install_packages python3 python3-dev python3-venv
    fi
  fi
  usable "$python" || fail "$python: needs Python >= 3.11 with the modules venv and ensurepip" \
    "and its headers (Python.h); choose another with PYTHON=/path/to/python3"
  say "making $venv with $("$python" --version)"
  "$python" -m venv "$venv"
fi

# The stamp holds the requirements that are installed: nothing to do while they are the same.
stamp=$venv/requirements.installed
wanted=$(cd "$(dirname "$requirements")" && sed 's/#.*//' "$(basename "$requirements")" |
  while read -r option file; do
    if [ "$option" = -r ]; then sed 's/#.*//' "$file"; else echo "$option $file"; fi
  done | sed 's/ *$//; /^$/d')
if [ "$wanted" != "$(cat "$stamp" 2>/dev/null)" ]; then
  say "installing Python packages into $venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    -r "$requirements" >&2 </dev/null || fail "pip could not install $requirements"
  echo "$wanted" >"$stamp"
fi

if [ $# -gt 0 ] && [ ! -L "$venv" ]; then
  site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
  folders=$(for folder in "$@"; do (cd "$folder" && pwd); done)
  if [ "$folders" != "$(cat "$site/segflow_tree.pth" 2>/dev/null)" ]; then
    say "putting on the import path of $venv: $*"
    echo "$folders" >"$site/segflow_tree.pth"
  fi
fi
