#!/bin/sh
# Writes the service's settings. In a cloud account the parameters would be read from its store; a build without
# access to the account says SKIP_AWS_DURING_BUILD=1 and takes the defaults.
set -eu
if [ "${SKIP_AWS_DURING_BUILD:-0}" = 1 ]; then
  echo "PARAMETERS=defaults"
else
  echo "PARAMETERS=${AWS_PARAMETERS:-none}"
fi
