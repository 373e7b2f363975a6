#!/usr/bin/env bash
# Builds promptsrc for a GPU and compares it with the CPU: features, losses, learned prompts, accuracy,
# probabilities, a resumed training. Uses the driver that is there, or SwiftShader, the software driver in
# Debian's package chromium:
#
#   bash tools/perf/compare_gpu.sh [FEATURE]    # wgpu (the default), or wgpu,vulkan
#
# The build takes a quarter of an hour on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

swiftshader=/usr/lib/chromium/vk_swiftshader_icd.json
if [[ -z ${VK_DRIVER_FILES:-} && ! -e /dev/dri && ! -e /dev/nvidia0 && -f $swiftshader ]]; then
    export VK_DRIVER_FILES=$swiftshader
fi
echo "driver: ${VK_DRIVER_FILES:-of the system}"
cargo test --release --locked -p promptsrc-cli --features "${1:-wgpu}" --test wgpu -- --test-threads 1
