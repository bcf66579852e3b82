#!/usr/bin/env bash
# Deploys the main branch on this machine: pull, build, start, wait until both services answer.
set -euo pipefail
cd "$(dirname "$0")/../.."

if git remote get-url origin >/dev/null 2>&1; then
  echo "INFO: Pulling main"
  git pull --ff-only origin main
else
  echo "INFO: No remote to pull from, deploying what is checked out"
fi

bash scripts/deployment/build-docker-images.sh

echo "INFO: Starting services"
docker compose up -d --no-build --wait --wait-timeout 60
docker compose ps
echo "SUCCESS: Deployed $(git rev-parse --short HEAD 2>/dev/null || echo 'an unknown commit')"
