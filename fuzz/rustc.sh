#!/usr/bin/env bash
# Compiles a crate for `run.sh`: with coverage for libFuzzer where it parses, as the program has it otherwise. The
# tensor engine alone would take as long to instrument as all parsers.
#
# cargo does not know of this list: remove fuzz/target after a change.
set -euo pipefail

parsers=" base64 csv csv_core fax fdeflate flate2 form_urlencoded gif http httparse hyper image image_webp miniz_oxide multer
    percent_encoding png promptsrc promptsrc_cli promptsrc_clip promptsrc_datasets promptsrc_files promptsrc_fuzz
    promptsrc_heads promptsrc_image promptsrc_pickle promptsrc_protocols promptsrc_reference promptsrc_service
    safetensors serde_json spm_precompiled tiff tokenizers toml toml_datetime toml_parser ureq_proto url weezl
    winnow zlib_rs "

coverage=(-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares)

name=
previous=
# What is built for this machine's own use, such as build scripts, has no --target.
target=
for argument in "$@"; do
    [[ $previous != --crate-name ]] || name=$argument
    [[ $argument != --target* ]] || target=1
    previous=$argument
done
if [[ -n $name && -n $target && $parsers =~ [[:space:]]$name[[:space:]] ]]; then
    exec "$@" "${coverage[@]}"
fi
exec "$@"
