"""Loads a folder of DAGs as Airflow does, and prints what came of it as one line of JSON; then takes reports of
`recgate publish`, one at a line of standard input, and prints for each how the task `judge` ends: null, or its failure.

Usage: python load_dags.py FOLDER RUN_ID
"""

import json
import sys

results = sys.stdout
# Airflow logs to what it finds there when it is imported.
sys.stdout = sys.stderr

from airflow.dag_processing.dagbag import DagBag  # noqa: E402
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator  # noqa: E402
from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator  # noqa: E402
from airflow.providers.google.cloud.operators.gcs import GCSDeleteObjectsOperator  # noqa: E402
from kubernetes.client import ApiClient  # noqa: E402
from sqlglot import exp, parse_one  # noqa: E402


def tell(value):
    print(json.dumps(value), file=results, flush=True)


def describe(dag, run_id):
    return {
        "id": dag.dag_id,
        "maxActiveRuns": dag.max_active_runs,
        "catchup": dag.catchup,
        "tasks": [describe_task(task, run_id) for task in dag.topological_sort()],
    }


def describe_task(task, run_id):
    context = {"run_id": run_id, "dag": task.dag}
    described = {
        "id": task.task_id,
        "downstream": sorted(task.downstream_task_ids),
        "retries": task.retries,
        "retryDelaySeconds": task.retry_delay.total_seconds(),
    }
    if isinstance(task, KubernetesPodOperator):
        task.render_template_fields(context)
        described["pod"] = ApiClient().sanitize_for_serialization(task.build_pod_request_obj())
    if isinstance(task, GCSDeleteObjectsOperator):
        task.render_template_fields(context)
        described["deletes"] = f"gs://{task.bucket_name}/{task.prefix}"
    if isinstance(task, BigQueryInsertJobOperator):
        task.render_template_fields(context)
        described["export"] = describe_export(task.configuration["query"]["query"])
    return described


def describe_export(text):
    statement = parse_one(text, dialect="bigquery")
    if not isinstance(statement, exp.Export):
        raise ValueError(f"no EXPORT DATA: {text}")
    [uri] = [option.text("value") for option in statement.find_all(exp.Property) if option.name == "uri"]
    return {
        "uri": uri,
        "format": statement.find(exp.FileFormatProperty).name,
        "columns": statement.this.named_selects,
    }


def judged(judge, report):
    try:
        judge(report)
    except Exception as failure:
        return {"error": type(failure).__name__, "message": str(failure)}
    return None


def main():
    folder, run_id = sys.argv[1:]
    bag = DagBag(dag_folder=folder)
    tell(
        {
            "importErrors": bag.import_errors,
            "warnings": bag.captured_warnings,
            "dags": [describe(dag, run_id) for dag in bag.dags.values()],
        }
    )
    judge = bag.dags["publish_games_itemcf"].get_task("judge").python_callable
    for line in sys.stdin:
        tell(judged(judge, json.loads(line)))


main()
