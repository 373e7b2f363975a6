#!/usr/bin/env bash
# Our training step and evaluation and PyTorch's, one after the other on the same cores, and the
# table of their ratios. `bash tools/perf/compare.sh --help` lists the options.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

METHODS=${METHODS:-}
CLASSES=${CLASSES:-}
ROUNDS=${ROUNDS:-3}
THREADS=${THREADS:-2}
BATCH=${BATCH:-}
NAME_TOKENS=${NAME_TOKENS:-3}
STEPS=${STEPS:-3}
EVAL=${EVAL:-20}
EVAL_BATCHES=${EVAL_BATCHES:-"4 20"}
CPU=${CPU:-}
PYTHON=${PYTHON:-python3}
RESULTS=${RESULTS:-"$here/results"}

all_methods="coop cocoop kgcoop prograd maple ivlp promptsrc"
# Those of torch_step.py.
torch_methods="promptsrc coop cocoop maple"

usage() {
    cat <<EOF
usage: bash tools/perf/compare.sh [options]

Runs one training step of ours (the precision that "auto" takes on this processor, and the others that
it has) and of PyTorch (f32 at all positions, f32 cut, and bf16 cut where the processor has bf16), and
the evaluation of images, also by onnxruntime, OpenVINO and compiled PyTorch where Python has them, one
after the other in rounds, and prints Markdown tables.

With --methods it runs one training step of each of these methods instead: ours in the same precisions,
and PyTorch's for $torch_methods.

Each option can also be given as an environment variable.

  --methods "coop ivlp"  METHODS      prompt methods, or "all"      [none: PromptSRC in detail]
  --classes "5 50 100"   CLASSES      class counts                  [5 50 100; with --methods 100]
  --rounds N             ROUNDS       rounds; the median counts     [$ROUNDS]
  --threads N            THREADS      threads of each program       [$THREADS]
  --batch N              BATCH        images per step               [4; with --methods each one's own]
  --name-tokens N        NAME_TOKENS  tokens of a class name        [$NAME_TOKENS]
  --steps N              STEPS        steps per run of PyTorch; with --methods of ours too [$STEPS]
  --eval N               EVAL         images PyTorch evaluates      [$EVAL]
  --eval-batches "4 20"  EVAL_BATCHES images at a time of the engines; the best counts [$EVAL_BATCHES]
  --cpu avx2             CPU          hide all instructions beyond AVX2 from both programs [none hidden]
  --python PROGRAM       PYTHON       a Python that has PyTorch     [$PYTHON]
  --results DIR          RESULTS      folder for the lines of JSON  [$RESULTS]
EOF
}

die() { printf 'compare.sh: %s\n' "$*" >&2; exit 1; }

while [[ $# -gt 0 ]]; do
    case $1 in
        --help | -h) usage; exit 0 ;;
        --methods | --classes | --rounds | --threads | --batch | --name-tokens | --steps | --eval | --eval-batches | --cpu | --python | --results)
            [[ $# -ge 2 ]] || die "$1 needs a value"
            name=${1#--}
            name=${name//-/_}
            printf -v "${name^^}" '%s' "$2"
            shift 2
            ;;
        *) usage >&2; die "unknown option $1" ;;
    esac
done

[[ $METHODS != all ]] || METHODS=$all_methods
read -ra methods <<<"$METHODS"
for method in "${methods[@]}"; do
    [[ " $all_methods " == *" $method "* ]] || die "--methods: expected some of $all_methods, found '$method'"
done
if [[ ${#methods[@]} -gt 0 ]]; then
    CLASSES=${CLASSES:-100}
else
    CLASSES=${CLASSES:-"5 50 100"}
    BATCH=${BATCH:-4}
fi
read -ra class_counts <<<"$CLASSES"
read -ra eval_batches <<<"$EVAL_BATCHES"
[[ ${#class_counts[@]} -gt 0 ]] || die "--classes: expected numbers, found nothing"
batch=()
[[ -z $BATCH ]] || batch=(--batch "$BATCH")
for number in "${class_counts[@]}" "$ROUNDS" "$THREADS" "${BATCH:-1}" "$NAME_TOKENS" "$STEPS" "$EVAL" "${eval_batches[@]}"; do
    [[ $number =~ ^[1-9][0-9]*$ ]] || die "expected a whole number above 0, found '$number'"
done

case $CPU in
    "") ;;
    avx2)
        export PROMPTSRC_CPU=avx2
        export ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2
        ;;
    *) die "--cpu: expected avx2, found '$CPU'" ;;
esac

command -v cargo >/dev/null || die "cargo is missing: install Rust (https://rustup.rs)"
command -v "$PYTHON" >/dev/null || die "$PYTHON is missing: install Python 3, or name one with --python"
"$PYTHON" -c 'import torch' 2>/dev/null ||
    die "$PYTHON has no PyTorch: pip install torch, or name another Python with --python"

mkdir -p "$RESULTS"
# Absolute, because cargo is run elsewhere.
RESULTS=$(cd "$RESULTS" && pwd)
# Lines of another comparison must not mix with these.
for old in "$RESULTS"/{steps,encode,methods}-*.jsonl; do
    [[ ! -e $old ]] || rm -- "$old"
done

echo "building promptsrc-perf ..." >&2
(cd "$here/../.." && cargo build --release --locked -p promptsrc-perf >&2)

# run FILE COMMAND...: appends the command's line of JSON to the file, and leaves it in $line.
run() {
    local file=$RESULTS/$1
    shift
    printf '[%d s] %s\n' "$SECONDS" "$*" >&2
    line=$("$@") || die "failed: $*"
    printf '%s\n' "$line" >>"$file"
}

ours() { (cd "$here/../.." && cargo run --release --locked --quiet -p promptsrc-perf -- "$@"); }
ours_step() { # FILE METHOD CLASSES PRECISION [OPTIONS]
    run "$1" ours step --method "$2" --classes "$3" --name-tokens "$NAME_TOKENS" \
        --precision "$4" --threads "$THREADS" "${batch[@]}" "${@:5}" --json
}
torch_step() { # FILE METHOD CLASSES PRECISION TEXT EVAL
    run "$1" "$PYTHON" "$here/torch_step.py" --method "$2" --classes "$3" \
        --name-tokens "$NAME_TOKENS" --precision "$4" --text "$5" --threads "$THREADS" \
        "${batch[@]}" --steps "$STEPS" --eval "$6"
}

in_detail() { # CLASSES
    for precision in "${precisions[@]}"; do
        ours_step "steps-ours-$precision.jsonl" promptsrc "$1" "$precision"
    done
    torch_step steps-torch-f32-full.jsonl promptsrc "$1" f32 full "$EVAL"
    torch_step steps-torch-f32-cut.jsonl promptsrc "$1" f32 cut "$EVAL"
    # Without instructions for it bf16 is only slower.
    [[ $has_bf16 == no ]] || torch_step steps-torch-bf16-cut.jsonl promptsrc "$1" bf16 cut "$EVAL"
}
of_method() { # METHOD CLASSES
    for precision in "${precisions[@]}"; do
        ours_step "methods-ours-$precision.jsonl" "$1" "$2" "$precision" --steps "$STEPS"
    done
    [[ " $torch_methods " == *" $1 "* ]] || return 0
    torch_step methods-torch-f32-full.jsonl "$1" "$2" f32 full 0
    torch_step methods-torch-f32-cut.jsonl "$1" "$2" f32 cut 0
    [[ $has_bf16 == no ]] || torch_step methods-torch-bf16-cut.jsonl "$1" "$2" bf16 cut 0
}
evaluation() {
    for precision in "${precisions[@]}"; do
        run "encode-ours-$precision.jsonl" ours encode --precision "$precision" \
            --threads "$THREADS" --json
    done
    for engine in "${engines[@]}"; do
        local formats=(f32)
        [[ $has_bf16 == no || $engine == onnxruntime ]] || formats+=(bf16)
        [[ $has_f16 == no || $engine == onnxruntime ]] || formats+=(f16)
        for precision in "${formats[@]}"; do
            for images in "${eval_batches[@]}"; do
                run "encode-$engine-$precision.jsonl" "$PYTHON" "$here/encode_peers.py" \
                    --engine "$engine" --precision "$precision" --batch "$images" --threads "$THREADS"
            done
        done
    done
}
load() { cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null || uptime; }
processor() {
    sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | sed 1q | grep . ||
        sysctl -n machdep.cpu.brand_string 2>/dev/null || uname -m
}

# Ours: what "auto" takes, and what else the processor has.
formats=$(ours formats) || die "failed: promptsrc-perf formats"
precisions=(auto)
for precision in f32 bf16; do
    if [[ $formats == *"\"precisions\":"*"\"$precision\""* && $formats != *"\"auto\":\"$precision\""* ]]; then
        precisions+=("$precision")
    fi
done
has_bf16=no has_f16=no
[[ $formats != *'"bf16"'* ]] || has_bf16=yes
if [[ -z $CPU ]] && grep -qw avx512_fp16 /proc/cpuinfo 2>/dev/null; then has_f16=yes; fi

# Those that this Python has.
engines=()
if [[ ${#methods[@]} -eq 0 ]]; then
    for engine in onnxruntime openvino torch-compile; do
        if missing=$("$PYTHON" "$here/encode_peers.py" --engine "$engine" --available 2>&1); then
            engines+=("$engine")
        else
            printf 'without %s: %s\n' "$engine" "$missing" >&2
        fi
    done
fi

before=$(load)
# All programs in every round, so that a temporary disturbance affects all of them alike.
for ((round = 1; round <= ROUNDS; round++)); do
    for classes in "${class_counts[@]}"; do
        if [[ ${#methods[@]} -gt 0 ]]; then
            for method in "${methods[@]}"; do of_method "$method" "$classes"; done
        else
            in_detail "$classes"
        fi
    done
    [[ ${#methods[@]} -gt 0 ]] || evaluation
done

printf '%s. Medians of %d rounds, %d threads, batch %s, names of %d tokens. Load before: %s, after: %s.\n\n' \
    "$(processor)" "$ROUNDS" "$THREADS" "${BATCH:-own}" "$NAME_TOKENS" "$before" "$(load)"
"$PYTHON" "$here/table.py" "$RESULTS"
