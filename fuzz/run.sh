#!/usr/bin/env bash
# Fuzzes the parsers, each for so many seconds: bash fuzz/run.sh SECONDS [TARGET...]
#
# JOBS=N fuzzes N targets at once, SEED=N begins with the same random numbers (0: others each time). What a target learns is kept in fuzz/corpus/TARGET (ignored by git). An input that
# breaks a parser, hangs or takes much memory is kept in fuzz/artifacts/TARGET, and the script ends with 1; with 2 for
# wrong usage; with 3 where this machine cannot fuzz.
#
# One input again: bash fuzz/run.sh --input FILE TARGET
set -euo pipefail
exec </dev/null
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() { echo "usage: bash fuzz/run.sh SECONDS [TARGET...], or --input FILE TARGET" >&2; exit 2; }
cannot() { echo "fuzz: not on this machine: $*" >&2; exit 3; }

seconds=${1:-}
input=
if [[ $seconds == --input && $# == 3 ]]; then
    input=$(realpath -- "$OLDPWD/$2" 2>/dev/null || true)
    [[ -f $input ]] || input=$(realpath -- "$2" 2>/dev/null || true)
    [[ -f $input ]] || { echo "fuzz: no file $2" >&2; exit 2; }
    seconds=1
    shift
elif ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
    usage
fi
shift

command -v cargo >/dev/null || cannot "cargo is missing"
command -v c++ >/dev/null || cannot "libFuzzer needs a C++ compiler (g++ or clang)"
host=$(rustc -vV | sed -n 's/^host: //p')
[[ $host == x86_64-unknown-linux-gnu ]] || cannot "it is $host; x86_64-unknown-linux-gnu is expected"

# Without a nightly compiler; rustc.sh says what has coverage. With --target, build scripts are left alone; `fuzzing`
# makes `png` pass over checksums, which a fuzzer cannot guess.
begun=$SECONDS
RUSTC_WRAPPER=$PWD/rustc.sh RUSTFLAGS="--cfg fuzzing" CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$PWD/target \
    cargo build --quiet --release --locked --target "$host"
program=$PWD/target/$host/release/promptsrc-fuzz
echo "fuzz: built in $((SECONDS - begun)) s"

memory=/dev/shm
[[ -d $memory && -w $memory ]] || memory=${TMPDIR:-/tmp}
work=$(mktemp -d "$memory/promptsrc-fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT

mapfile -t known < <(PROMPTSRC_FUZZ_TARGETS=1 "$program")
[[ ${#known[@]} -gt 0 ]] || { echo "fuzz: $program does not start" >&2; exit 1; }
targets=("$@")
[[ $# -gt 0 ]] || targets=("${known[@]}")
for target in "${targets[@]}"; do
    [[ " ${known[*]} " == *" $target "* ]] || { echo "fuzz: no target $target: one of ${known[*]}" >&2; exit 2; }
done

# program_of TARGET ARGUMENT...: the fuzzer of a target, with nothing of this machine's settings for hubs.
program_of() {
    local target=$1
    shift
    mkdir -p "$work/$target"
    env -u HF_TOKEN -u HUGGING_FACE_HUB_TOKEN -u HF_TOKEN_PATH -u HF_HUB_OFFLINE -u HTTP_PROXY -u http_proxy \
        -u HTTPS_PROXY -u https_proxy -u ALL_PROXY -u all_proxy \
        PROMPTSRC_FUZZ="$target" PROMPTSRC_FUZZ_SCRATCH="$work/$target" RAYON_NUM_THREADS=1 RUST_BACKTRACE=1 \
        HF_HOME="$work/$target/home" HF_HUB_CACHE="$work/$target/hub" HF_HUB_DOWNLOAD_TIMEOUT=5 \
        HF_ENDPOINT="http://127.0.0.1:$((20000 + ($$ % 1000) * 20))" \
        "$program" "$@"
}

limits=(-timeout=20 -rss_limit_mb=2048)
if [[ -n $input ]]; then
    target=${targets[0]}
    program_of "$target" "${limits[@]}" -artifact_prefix="$work/" "$input"
    exit
fi

# fuzz TARGET: one line of figures, and 1 with the end of the log where something is wrong.
fuzz() {
    local target=$1 log=$work/$1.log seeds=$work/$1.seeds status=0 longest begun executed peak first last dictionary=()
    mkdir -p "corpus/$target" "artifacts/$target"
    wrong() { printf '%-12s %s\n' "$target" "$1" >&2; tail -n 60 "$log" >&2; return 1; }
    PROMPTSRC_FUZZ_SEEDS=$seeds program_of "$target" >"$log" 2>&1 || { wrong "its seeds do not parse"; return; }
    longest=$(find "$seeds" -type f -printf '%s\n' | sort -n | tail -n 1)
    [[ ! -f dictionaries/$target.txt ]] || dictionary=("-dict=dictionaries/$target.txt")
    begun=$SECONDS
    program_of "$target" "corpus/$target" "$seeds" -max_total_time="$seconds" "${limits[@]}" \
        -max_len=$((longest > 16384 ? longest : 16384)) -seed="${SEED:-0}" -artifact_prefix="artifacts/$target/" -print_final_stats=1 \
        "${dictionary[@]}" >>"$log" 2>&1 || status=$?
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
    first=$(sed -n 's/^#[0-9]*[[:space:]]*INITED cov: \([0-9]*\) .*/\1/p' "$log" | head -n 1)
    last=$(sed -n 's/^#[0-9]*[[:space:]].* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    [[ $status == 0 ]] || { wrong "ended with $status: $(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)"; return; }
    # A fuzzer that is linked wrongly runs and sees nothing.
    [[ ${executed:-0} -gt 0 && ${first:-0} -gt 50 ]] || { wrong "has not run"; return; }
    printf '%-12s %9d executions %7d/s  coverage %6d -> %6d  peak %4d MiB  %s\n' "$target" "$executed" \
        $((executed / (SECONDS > begun ? SECONDS - begun : 1))) "$first" "$last" "$peak" "$(grep -m 1 ' seeds, ' "$log")"
}

failed=()
declare -A running=()
# one_less: waits for one of the targets.
one_less() {
    local done= status=0
    wait -n -p done "${!running[@]}" || status=$?
    [[ $status == 0 ]] || failed+=("${running[$done]}")
    unset "running[$done]"
}
for target in "${targets[@]}"; do
    [[ ${#running[@]} -lt ${JOBS:-1} ]] || one_less
    fuzz "$target" &
    running[$!]=$target
done
while [[ ${#running[@]} -gt 0 ]]; do one_less; done

if [[ ${#failed[@]} -gt 0 ]]; then
    echo "fuzz: ${#failed[@]} of ${#targets[@]} targets failed: ${failed[*]}" >&2
    exit 1
fi
echo "fuzz: ${#targets[@]} targets, $seconds s each, nothing found"
