#!/bin/sh
# Make .venv from the hash-locked requirements, on a machine that may have nothing but
# Python 3.11 to 3.14. Brings its own uv into .tools/ when there is none; never downloads
# an interpreter. SWITCHOVER_PYTHON names an interpreter to use instead of the newest one.
set -eu

say() { printf '%s\n' "$*" >&2; }

suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

find_python() {
    for candidate in ${SWITCHOVER_PYTHON:-python3.13 python3.12 python3.11 python3.14 python3 python}; do
        if suitable "$candidate"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    say "setup: no Python 3.11 to 3.14 found; install one (Debian, Ubuntu: apt-get install python3)"
    return 1
}

# Gives a command prefix that may install packages, or fails.
as_root() {
    [ "$(id -u)" -eq 0 ] && { echo env; return; }
    sudo -n true 2>/dev/null && { echo sudo -n; return; }
    return 1
}

install_uv() {
    rm -rf .tools
    mkdir -p .tools
    pip_options="install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt"
    # Debian's python3 comes without ensurepip; then venv fails and pip may still be there.
    if "$1" -m venv .tools/uv >.tools/venv.log 2>&1; then
        # shellcheck disable=SC2086  # the options are words on purpose
        .tools/uv/bin/python -m pip $pip_options
    elif rm -rf .tools/uv && "$1" -m pip --version >/dev/null 2>&1; then
        # shellcheck disable=SC2086
        "$1" -m pip $pip_options --target .tools/uv
    else
        return 1
    fi
}

find_uv() {
    if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
        echo uv
        return
    fi
    if ! .tools/uv/bin/uv --version >/dev/null 2>&1; then
        say "setup: bringing uv into .tools/"
        if ! install_uv "$1"; then
            root=$(as_root) && command -v apt-get >/dev/null 2>&1 || {
                say "setup: $1 has neither venv nor pip; install one of them" \
                    "(Debian, Ubuntu: apt-get install python3-venv), or uv, and try again"
                return 1
            }
            say "setup: installing python3-venv, which uv's installation needs"
            version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
            $root apt-get update -qq >&2
            $root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -qq --no-install-recommends "python$version-venv" >&2
            install_uv "$1"
        fi
    fi
    echo .tools/uv/bin/uv
}

python=$(find_python)
uv=$(find_uv "$python")

if ! suitable .venv/bin/python; then
    say "setup: making .venv with $python"
    "$uv" venv --quiet --clear --no-project --python "$python" .venv
fi
say "setup: installing the locked packages"
"$uv" pip sync --quiet --python .venv/bin/python --require-hashes --compile-bytecode \
    requirements/environment.txt
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation \
    --no-index --editable .
say "setup: ready"
