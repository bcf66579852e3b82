#!/usr/bin/env bash
# Clears caches of this machine. usage: TARGET=all|backend|frontend clear-caches.sh
#   backend, frontend  what a build of the service outside of Docker leaves in its folder
#   all                both, and Docker's build cache
set -euo pipefail
cd "$(dirname "$0")/../.."

TARGET=${TARGET:-all}
case $TARGET in
  all | backend | frontend) ;;
  *)
    echo "ERROR: TARGET must be all, backend or frontend, not '$TARGET'" >&2
    exit 2
    ;;
esac

if [ "$TARGET" = all ] || [ "$TARGET" = backend ]; then
  echo "INFO: Clearing backend cache"
  rm -rf backend/.cache
  echo "SUCCESS: Backend cache cleared"
fi

if [ "$TARGET" = all ] || [ "$TARGET" = frontend ]; then
  echo "INFO: Clearing frontend cache"
  rm -rf frontend/.cache frontend/dist
  echo "SUCCESS: Frontend cache cleared"
fi

if [ "$TARGET" = all ]; then
  echo "INFO: Clearing Docker build cache"
  docker builder prune -af
  echo "SUCCESS: Docker build cache cleared"
fi
