#!/bin/sh
# Makes the work pool where it is missing, saves the blocks and deploys every flow; safe to run again.
#   deployments/deploy.sh [process|docker|kubernetes]
set -eu
cd "$(dirname "$0")/.."

type="${1:-process}"
case "$type" in
  process) pool=hitl ;;
  docker | kubernetes) pool="hitl-$type" ;;
  *)
    echo "no kind of work pool: '$type'; say process, docker or kubernetes" >&2
    exit 2
    ;;
esac

prefect work-pool inspect "$pool" >/dev/null 2>&1 || prefect work-pool create "$pool" --type "$type"
python blocks/save_blocks.py
file=$(mktemp)
trap 'rm -f "$file"' EXIT
sed "s/<<: \*process/<<: *$type/" deployments/prefect.yaml >"$file"
prefect --no-prompt deploy --all --prefect-file "$file"
