#!/usr/bin/env bash
# Makes the Python with Airflow that this folder's tests take, and prints its path: RECGATE_AIRFLOW_PYTHON=$(test/airflow/install.sh).
# Outside the clone, and once for each set of versions. Fails where there is no Python from 3.11, or PyPI doesn't answer.
set -euo pipefail
cd "$(dirname "$0")"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Airflow for the tests needs Python from 3.11")' >&2
version=$( (python3 --version && cat requirements.txt) | sha256sum | cut -c1-16)
home="${XDG_CACHE_HOME:-$HOME/.cache}/recgate-ci/airflow-$version"
if [ ! -e "$home/complete" ]; then
  rm -rf "$home"
  python3 -m venv "$home" >&2
  "$home/bin/pip" install --quiet --retries 5 uv==0.13.9 >&2
  # requirements.txt is complete, and leaves out what the providers ask for and the DAGs never load.
  "$home/bin/uv" pip install --quiet --system-certs --no-cache --no-deps --python "$home/bin/python" --requirements requirements.txt >&2
  touch "$home/complete"
fi
echo "$home/bin/python"
