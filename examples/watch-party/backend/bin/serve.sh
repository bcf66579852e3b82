#!/bin/sh
# Renders the answers from the code in /app/src, and serves them on port 8080.
set -eu
cd /app
# shellcheck disable=SC1091
. ./config.env
# shellcheck disable=SC1091
. ./src/app.sh

version > /srv/www/version
rooms > /srv/www/rooms
cp /etc/watchparty-commit /srv/www/commit

echo "backend $VERSION listens on 8080 (parameters: $PARAMETERS)"
exec httpd -f -p 8080 -h /srv/www
