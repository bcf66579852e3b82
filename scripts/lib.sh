# shellcheck shell=bash
# What ./test and ./demo have in common: they check for what they need, install what they can and say what is missing.
# To be sourced from the repository's root, in bash with `set -euo pipefail`.

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $1"
  shift
  local hint
  for hint in "$@"; do say "hint: $hint"; done
  exit 1
}

# The command that makes the next word run as root; fails where that would ask for a password.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo -n -- "$@"
  else
    return 126
  fi
}

# install_packages PACKAGE… : with apt, with the index updated first where the one at hand does not serve.
install_packages() {
  command -v apt-get >/dev/null || return 1
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@")
  as_root true || return 1
  say "installing: $*"
  as_root "${install[@]}" >/dev/null 2>&1 || {
    as_root apt-get update -qq >&2
    as_root "${install[@]}" >/dev/null
  }
}

# need_packages PROGRAM:PACKAGE… : sees that the programs are there.
need_packages() {
  local entry missing=()
  for entry in "$@"; do
    command -v "${entry%%:*}" >/dev/null || missing+=("${entry#*:}")
  done
  [ ${#missing[@]} -eq 0 ] && return
  install_packages "${missing[@]}" && return
  die "missing on this machine: ${missing[*]}" \
    "as root: apt-get update && apt-get install -y ${missing[*]}"
}

# The oldest Rust that the workspace builds with.
rust_wanted() { sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml | head -1; }

# Whether cargo and rustc are there and new enough.
rust_serves() {
  local have
  have=$(rustc --version 2>/dev/null | cut -d' ' -f2) && cargo --version >/dev/null 2>&1 || return 1
  [ "$(printf '%s\n' "$(rust_wanted)" "$have" | sort -V | head -1)" = "$(rust_wanted)" ]
}

# need_rust: a toolchain that is new enough, from rustup where there is none.
need_rust() {
  rust_serves && return
  PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
  export PATH
  rust_serves && return
  if ! command -v rustup >/dev/null; then install_packages rustup || true; fi
  if command -v rustup >/dev/null; then
    say "installing the Rust toolchain"
    if rustup toolchain install stable --profile minimal --component clippy --component rustfmt >&2; then
      export RUSTUP_TOOLCHAIN=stable
    fi
  fi
  rust_serves && return
  die "Rust $(rust_wanted) or newer is needed, found: $(rustc --version 2>/dev/null || echo none)" \
    "install it as https://rustup.rs says, or with: rustup toolchain install stable"
}

# need_build: all that it takes to build and run the workspace.
need_build() {
  need_packages git:git cc:gcc ld:binutils curl:curl
  # A compiler without the C library's headers is of no use to the crates with C code in them.
  printf '#include <stdlib.h>\n' | cc -E -x c - >/dev/null 2>&1 || install_packages libc6-dev ||
    die "the C library's headers are missing" "as root: apt-get install -y libc6-dev"
  need_rust
}

# need_linters: those of shell scripts and of GitHub workflows, where they can be had. Checks without one are left out.
need_linters() {
  command -v shellcheck >/dev/null || install_packages shellcheck || true
  command -v go >/dev/null || return 0
  PATH=$PATH:$(go env GOPATH)/bin
  command -v actionlint >/dev/null && return
  say "installing: actionlint"
  timeout 120 go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 >&2 || true
}

# build_testkit: builds the program that starts engines; sets TESTKIT to its path.
build_testkit() {
  local messages
  messages=$(cargo build --quiet --package unstale-testkit --bin testkit --message-format json) ||
    die "the testkit does not build"
  TESTKIT=$(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' <<<"$messages" | tail -1)
  [ -x "$TESTKIT" ] || die "cargo built no testkit"
}

# Whether a Docker engine answers, and the client has the plugins.
docker_serves() {
  docker version >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
}

# need_docker: an engine. One that answers (DOCKER_HOST, the docker context) is used as it is; otherwise a private one
# is started, the environment set to it, and PRIVATE_ENGINE to its name: stop_docker stops it again.
PRIVATE_ENGINE=
need_docker() {
  docker_serves && return
  say "no Docker engine with Compose answers: starting a private one"
  build_testkit
  local name exports before
  for name in d28c d20; do
    before=$("$TESTKIT" env "$name" 2>/dev/null || true)
    [ -n "$before" ] || PRIVATE_ENGINE=$name
    if "$TESTKIT" up "$name" >&2 && exports=$("$TESTKIT" env "$name"); then
      eval "$exports"
      docker_serves && return
    fi
    stop_docker
  done
  die "no Docker engine can be used or started on this machine" \
    "start one and see that 'docker compose version' works, or run this as root on Debian or Ubuntu"
}

# stop_docker: stops the engine that need_docker started, if it started one.
stop_docker() {
  [ -n "$PRIVATE_ENGINE" ] || return 0
  "$TESTKIT" down "$PRIVATE_ENGINE" || true
  PRIVATE_ENGINE=
}
