# shellcheck shell=bash disable=SC2034
# setup.sh - what the scripts of the project share: telling what goes on, and getting what is missing.
#
# Sourced by quickstart, run-tests and bench/run, from the project's root. Everything that is fetched or
# made outside the tree lies in $STATEFUN_CACHE (default: ~/.cache/statefun).

STATEFUN_CACHE=${STATEFUN_CACHE:-$HOME/.cache/statefun}

BUILD_PACKAGES=(gcc libc6-dev cmake ninja-build pkg-config librdkafka-dev librocksdb-dev libyaml-dev
    libjansson-dev libxxhash-dev zlib1g-dev libssl-dev libnghttp2-dev libcurl4-openssl-dev)
PYTHON_PACKAGES=(python3 python3-venv curl)
KAFKA_PACKAGES=(openjdk-17-jre-headless curl kcat)
TEST_PACKAGES=(g++ libcmocka-dev libprotobuf-c-dev protobuf-c-compiler clang-14 libclang-rt-14-dev
    clang-format-14 shellcheck dpkg-dev file openssl nodejs)

if [[ -t 1 ]]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
    bold='' plain=''
fi

say() { printf '%s==> %s%s\n' "$bold" "$*" "$plain"; }

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Runs a command with its output in a log; shows the log's end if it fails.
quietly() { # LOG COMMAND...
    local log=$1
    shift
    mkdir -p "$(dirname "$log")"
    if ! "$@" >"$log" 2>&1; then
        printf -- '--- the end of %s:\n' "$log" >&2
        tail -n "${TAIL_LINES:-40}" "$log" >&2
        fail "failed: $*"
    fi
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "this needs root: $*"
    fi
}

# Installs Debian packages that are not there yet.
need_packages() { # PACKAGE...
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
            missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null ||
        fail "these Debian packages, or what they are called here, are needed: ${missing[*]}"
    say "installing ${missing[*]}"
    quietly build/log/apt as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    quietly build/log/apt as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# Installs Debian packages that bring a program, unless the machine has the program from elsewhere.
need_program() { # PROGRAM PACKAGE...
    command -v "$1" >/dev/null || need_packages "${@:2}"
}

# Configures and builds in build/NAME.
build_in() { # NAME TARGET [CMAKE OPTION...]
    local name=$1 target=$2
    shift 2
    quietly "build/log/$name.configure" cmake -S . -B "build/$name" -G Ninja "$@"
    quietly "build/log/$name.build" cmake --build "build/$name" --target "$target"
}

# A virtual environment of Python's, made anew when its requirements change. Prints its directory.
python_environment() { # NAME REQUIREMENTS-FILE
    local dir=$STATEFUN_CACHE/python-$1
    if ! cmp -s "$2" "$dir/requirements.txt"; then
        rm -rf "$dir"
        python3 -m venv "$dir" >&2
        "$dir/bin/pip" install -q --disable-pip-version-check -r "$2" >&2 || return 1
        cp "$2" "$dir/requirements.txt"
    fi
    printf '%s\n' "$dir"
}

# Node.js packages, made anew when package-lock.json changes. Prints their directory: what NODE_PATH takes.
node_packages() { # NAME DIRECTORY-OF-package.json
    local dir=$STATEFUN_CACHE/node-$1
    if ! cmp -s "$2/package-lock.json" "$dir/complete"; then
        rm -rf "$dir"
        mkdir -p "$dir"
        cp "$2/package.json" "$2/package-lock.json" "$dir"
        npm ci --prefix "$dir" --no-audit --no-fund >&2 || return 1
        cp "$2/package-lock.json" "$dir/complete"
    fi
    printf '%s\n' "$dir/node_modules"
}

# The port itself if nobody has it, else one that the kernel picks.
port_near() { # PORT
    python3 - "$1" <<'EOF'
import socket, sys
for port in (int(sys.argv[1]), 0):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            continue
        print(probe.getsockname()[1])
        break
EOF
}

# Waits until a command succeeds; false if a process ends meanwhile or it takes too long.
wait_until() { # SECONDS PID COMMAND...
    local deadline=$((SECONDS + $1)) pid=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null || return 1
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}
