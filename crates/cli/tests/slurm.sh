#!/usr/bin/env bash
# A job array on a real Slurm, one of whose tasks is requeued in its course, against the same sweep in one
# process: the tables are compared byte by byte. Needs sbatch, and a node that runs it.
#
#   bash crates/cli/tests/slurm.sh PROMPTSRC FOLDER
#
# PROMPTSRC: the program; FOLDER: an empty folder that the nodes share.
set -euo pipefail
promptsrc=$(realpath "${1:?the program}")
folder=${2:?a folder}
mkdir -p "$folder"
cd "$folder"

sweep=(bench base-to-novel --root world --datasets surfaces,finegrained,scenes --methods zero-shot,promptsrc,coop
    --seeds 1,2 --shots 2 --epochs 8)
"$promptsrc" "${sweep[@]}" --out whole --json >whole.json
"$promptsrc" "${sweep[@]}" --out array --threads 1 --plan --format slurm --parts 4 >job.sh
cat job.sh
job=$(sbatch --parsable job.sh)
echo "submitted $job"
state() { squeue --noheader --array --job "$job" --format '%i %T %r' 2>/dev/null || true; }
requeued=
for _ in $(seq 1 1200); do
    if [[ -z $requeued ]]; then
        task=$(state | awk '$2 == "RUNNING" { print $1; exit }')
        if [[ -n $task ]] && ls array/*/*/*/*/*/state.safetensors >/dev/null 2>&1; then
            sleep 1
            scontrol requeue "$task" && requeued=$task && echo "requeued $task"
        fi
    fi
    [[ -n $(state) ]] || break
    sleep 0.5
done
[[ -z $(state) ]] || { echo "the array does not end" >&2; state; exit 1; }
[[ -n $requeued ]] || { echo "no task could be requeued: the sweep is too short" >&2; exit 1; }
tail -n 3 promptsrc-*.log
"$promptsrc" bench table array --format json >array.json
"$promptsrc" bench table whole --format json >whole.json
cmp whole.json array.json
echo "slurm: $requeued was requeued, the tables are equal"
