#!/usr/bin/env bash
# Our training step and evaluation and PyTorch's, one after the other on the same cores, and the
# table of their ratios. `bash tools/perf/compare.sh --help` lists the options.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

CLASSES=${CLASSES:-"5 50 100"}
ROUNDS=${ROUNDS:-3}
THREADS=${THREADS:-2}
BATCH=${BATCH:-4}
NAME_TOKENS=${NAME_TOKENS:-3}
STEPS=${STEPS:-3}
EVAL=${EVAL:-20}
PYTHON=${PYTHON:-python3}
RESULTS=${RESULTS:-"$here/results"}

usage() {
    cat <<EOF
usage: bash tools/perf/compare.sh [options]

Runs one training step of ours (bf16, f32) and of PyTorch (f32 at all positions, f32 and bf16 cut),
and the evaluation of images, one after the other in rounds, and prints Markdown tables.
Each option can also be given as an environment variable.

  --classes "5 50 100"   CLASSES      class counts                  [$CLASSES]
  --rounds N             ROUNDS       rounds; the median counts     [$ROUNDS]
  --threads N            THREADS      threads of each program       [$THREADS]
  --batch N              BATCH        images per step               [$BATCH]
  --name-tokens N        NAME_TOKENS  tokens of a class name        [$NAME_TOKENS]
  --steps N              STEPS        PyTorch's steps per run       [$STEPS]
  --eval N               EVAL         images PyTorch evaluates      [$EVAL]
  --python PROGRAM       PYTHON       a Python that has PyTorch     [$PYTHON]
  --results DIR          RESULTS      folder for the lines of JSON  [$RESULTS]
EOF
}

die() { printf 'compare.sh: %s\n' "$*" >&2; exit 1; }

while [[ $# -gt 0 ]]; do
    case $1 in
        --help | -h) usage; exit 0 ;;
        --classes | --rounds | --threads | --batch | --name-tokens | --steps | --eval | --python | --results)
            [[ $# -ge 2 ]] || die "$1 needs a value"
            name=${1#--}
            name=${name//-/_}
            printf -v "${name^^}" '%s' "$2"
            shift 2
            ;;
        *) usage >&2; die "unknown option $1" ;;
    esac
done

read -ra class_counts <<<"$CLASSES"
[[ ${#class_counts[@]} -gt 0 ]] || die "--classes: expected numbers, found nothing"
for number in "${class_counts[@]}" "$ROUNDS" "$THREADS" "$BATCH" "$NAME_TOKENS" "$STEPS" "$EVAL"; do
    [[ $number =~ ^[1-9][0-9]*$ ]] || die "expected a whole number above 0, found '$number'"
done

command -v cargo >/dev/null || die "cargo is missing: install Rust (https://rustup.rs)"
command -v "$PYTHON" >/dev/null || die "$PYTHON is missing: install Python 3, or name one with --python"
"$PYTHON" -c 'import torch' 2>/dev/null ||
    die "$PYTHON has no PyTorch: pip install torch, or name another Python with --python"

mkdir -p "$RESULTS"
# Absolute, because cargo is run elsewhere.
RESULTS=$(cd "$RESULTS" && pwd)
# Lines of another comparison must not mix with these.
for old in "$RESULTS"/steps-*.jsonl "$RESULTS"/encode-*.jsonl; do
    [[ ! -e $old ]] || rm -- "$old"
done

echo "building promptsrc-perf ..." >&2
(cd "$here/../.." && cargo build --release --locked -p promptsrc-perf >&2)

# run FILE COMMAND...: appends the command's line of JSON to the file.
run() {
    local file=$RESULTS/$1 line
    shift
    printf '[%d s] %s\n' "$SECONDS" "$*" >&2
    line=$("$@") || die "failed: $*"
    printf '%s\n' "$line" >>"$file"
}

ours() { (cd "$here/../.." && cargo run --release --locked --quiet -p promptsrc-perf -- "$@"); }
ours_step() { # CLASSES PRECISION
    run "steps-ours-$2.jsonl" ours step --classes "$1" --name-tokens "$NAME_TOKENS" \
        --precision "$2" --threads "$THREADS" --batch "$BATCH" --json
}
torch_step() { # CLASSES PRECISION TEXT
    run "steps-torch-$2-$3.jsonl" "$PYTHON" "$here/torch_step.py" --classes "$1" \
        --name-tokens "$NAME_TOKENS" --precision "$2" --text "$3" --threads "$THREADS" \
        --batch "$BATCH" --steps "$STEPS" --eval "$EVAL"
}

# All programs in every round, so that a temporary disturbance affects all of them alike.
for ((round = 1; round <= ROUNDS; round++)); do
    for classes in "${class_counts[@]}"; do
        ours_step "$classes" bf16
        ours_step "$classes" f32
        torch_step "$classes" f32 full
        torch_step "$classes" f32 cut
        torch_step "$classes" bf16 cut
    done
    for precision in bf16 f32; do
        run "encode-ours-$precision.jsonl" ours encode --precision "$precision" \
            --threads "$THREADS" --json
    done
done

printf 'Medians of %d rounds, %d threads, batches of %d, names of %d tokens.\n\n' \
    "$ROUNDS" "$THREADS" "$BATCH" "$NAME_TOKENS"
"$PYTHON" "$here/table.py" "$RESULTS"
