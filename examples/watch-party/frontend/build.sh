#!/bin/sh
# Makes dist/ from src/: fills the page's template with the version of package.json.
set -eu
version=$(sed -n 's/.*"version": *"\([^"]*\)".*/\1/p' package.json)
[ -n "$version" ] || { echo "package.json has no version" >&2; exit 1; }

mkdir -p dist
sed "s/@VERSION@/$version/g" src/index.html > dist/index.html
cp src/style.css dist/style.css
echo "built frontend $version (NODE_OPTIONS=${NODE_OPTIONS:-})"
