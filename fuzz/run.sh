#!/usr/bin/env bash
# Fuzzes the parsers, each for so many seconds: bash fuzz/run.sh SECONDS [TARGET...]
#
# What a target learns is kept in fuzz/corpus/TARGET (ignored by git) and begun with the small files of the
# repository; an input that breaks a parser is kept in fuzz/artifacts/TARGET, and the script fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

all="image exif pickle torch safetensors weights tokenizer text adapter state config csv tsv jsonl split mat log checkpoint"
seconds=${1:-}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "usage: bash fuzz/run.sh SECONDS [TARGET...]" >&2; exit 2; }
shift
[[ $# -gt 0 ]] || read -ra targets <<<"$all"
[[ $# -eq 0 ]] || targets=("$@")

# Coverage for libFuzzer, without a nightly compiler. With --target, build scripts are left alone.
host=$(rustc -vV | sed -n 's/^host: //p')
passes="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
passes+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS="$passes" cargo build --release --locked --target "$host"

# Small files of the repository, by target.
data=../tools/goldens/data
seed() { # TARGET FILE...
    local target=$1
    shift
    mkdir -p "corpus/$target" "artifacts/$target"
    for file in "$@"; do
        if [[ -f $file && $(stat -c %s "$file") -le 524288 ]]; then cp -n "$file" "corpus/$target/$(basename "$file")"; fi
    done
}
images=$(find .. -path ../target -prune -o -path ./target -prune -o \( -name '*.jpg' -o -name '*.png' -o -name '*.webp' -o -name '*.gif' -o -name '*.bmp' -o -name '*.tif' \) -size -40k -print | head -300)
torch=$(find "$data" \( -name '*.pt' -o -name '*.pth*' -o -name '*.pkl' -o -name '*.bin' \) -size -500k)
tensors=$(find "$data" -name '*.safetensors' -size -500k)
for target in "${targets[@]}"; do
    case $target in
        image | exif) seed "$target" $images ;;
        pickle | torch | weights | checkpoint) seed "$target" $torch ;;
        safetensors | adapter | state) seed "$target" $tensors ;;
        tokenizer) seed "$target" $(find .. -path ../target -prune -o -name 'tokenizer*.json' -size -500k -print) ;;
        mat) seed "$target" $(find ../crates/datasets -name '*.mat' -size -500k) ;;
        log) seed "$target" $(find .. -path ../target -prune -o -name 'log*.txt' -size -100k -print) ;;
        *) seed "$target" ;;
    esac
    dictionary=()
    [[ ! -f dictionaries/$target.txt ]] || dictionary=("-dict=dictionaries/$target.txt")
    echo "fuzz $target: $seconds s"
    PROMPTSRC_FUZZ=$target "target/$host/release/promptsrc-fuzz" "corpus/$target" \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=600000 \
        -artifact_prefix="artifacts/$target/" -print_final_stats=1 "${dictionary[@]}" 2>&1 |
        grep -E "^(stat::number_of_executed|stat::peak_rss|==|SUMMARY|thread|ALARM)|panicked|DONE|ERROR" || true
    # The pipe hides how the fuzzer ended; what it found lies here.
    if compgen -G "artifacts/$target/*" >/dev/null; then
        echo "fuzz $target: an input breaks it: $(ls artifacts/"$target")" >&2
        exit 1
    fi
done
echo "fuzz: ${#targets[@]} targets, $seconds s each, nothing found"
