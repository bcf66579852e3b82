#!/usr/bin/env bash
# Clears caches of this project, and says whether that is proven. Written by: unstale init --workflow clear-caches
#
#   usage: [TARGET=…] scripts/clear-caches.sh [ARGUMENTS FOR unstale clear…]
#
#   TARGET   what is cleared: all, builder, mounts, images, imports, ci, ledger, services; several with commas (all)
#
# The exit code is that of unstale: 0 proven, 21 not proven. On GitHub the result is the job's summary, too.
set -euo pipefail
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

if ! command -v unstale >/dev/null; then
  echo "ERROR: unstale is not on PATH: install it on this machine, or add its folder to the PATH of the runner" >&2
  exit 127
fi

# unstale reads it from the environment: no value of it becomes a part of a command line.
export TARGET=${TARGET:-all}

status=0
report=$(unstale clear --yes "$@") || status=$?
[ -z "$report" ] || printf '%s\n' "$report"

if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  case $status in
    0) verdict="Cleared, and proven." ;;
    21) verdict="**Not proven**: the table says what is left, and why." ;;
    *) verdict="**Failed** with exit code $status: the log says why." ;;
  esac
  {
    printf '### Clear caches\n\n%s\n\n' "$verdict"
    # Indented text is shown as it is, whatever it holds.
    printf 'TARGET=%s\n\n%s\n' "$TARGET" "$report" | tr -d '\r' | sed 's/^/    /'
  } >>"$GITHUB_STEP_SUMMARY" || echo "WARNING: the summary cannot be written" >&2
fi
exit "$status"
