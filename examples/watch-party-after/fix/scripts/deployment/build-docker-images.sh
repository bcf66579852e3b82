#!/usr/bin/env bash
# Builds the images of all services from the checked-out commit.
set -euo pipefail
cd "$(dirname "$0")/../.."

bash scripts/make-base-image.sh

GIT_COMMIT_HASH=$(git rev-parse HEAD 2>/dev/null || echo unknown)
echo "Building from commit: ${GIT_COMMIT_HASH:0:7}..."

docker compose build --parallel \
    --build-arg SKIP_AWS_DURING_BUILD=1 \
    --build-arg GIT_COMMIT_HASH="$GIT_COMMIT_HASH"

echo "SUCCESS: Docker images built"
