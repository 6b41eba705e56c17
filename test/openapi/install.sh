#!/usr/bin/env bash
# Makes the Python programs that this folder's tests take, and prints their directory: RECGATE_OPENAPI_PROGRAMS=$(test/openapi/install.sh).
# Outside the clone, and once for each set of versions. Fails where there is no Python from 3.11, or PyPI doesn't answer.
set -euo pipefail
cd "$(dirname "$0")"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "schemathesis for the tests needs Python from 3.11")' >&2
version=$( (python3 --version && cat requirements.txt) | sha256sum | cut -c1-16)
home="${XDG_CACHE_HOME:-$HOME/.cache}/recgate-ci/openapi-$version"
if [ ! -e "$home/complete" ]; then
  rm -rf "$home"
  python3 -m venv "$home" >&2
  "$home/bin/pip" install --quiet --retries 5 --no-deps --requirement requirements.txt >&2
  touch "$home/complete"
fi
echo "$home/bin"
