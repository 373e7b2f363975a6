//! A GPU build against the CPU, through the real command: features, a training, its resume, evaluation
//! and prediction; and what it says without a driver. Any driver serves, a software one included.
//!
//! `bash tools/perf/compare_gpu.sh` builds with the feature and finds a driver. Without one, and without the
//! feature, these tests say so on standard error and check nothing.

mod common;

use std::io::Write;

/// Says it past the test runner, which keeps the output of tests that pass.
fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "\nskipped: the GPU comparison: {why}");
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn a_gpu_agrees_with_the_cpu() {
    skipped("this build is without the feature wgpu (bash tools/perf/compare_gpu.sh)");
}

#[cfg(feature = "wgpu")]
mod with_the_feature {
    use std::fs;

    use crate::common::*;
    use crate::skipped;
    use safetensors::SafeTensors;
    use serde_json::Value;

    const ON_GPU: [&str; 2] = ["--device", "wgpu"];

    /// The device, or why it is not there.
    fn hardware() -> Result<String, String> {
        let found = json(&["inspect", "--machine", "--json"]);
        let devices = found["devices"].as_array().expect("devices");
        let device = devices.iter().find(|device| device["name"] == "wgpu");
        let device = device.expect("the device of the feature");
        match device["hardware"].as_str() {
            None => Err(device["error"].to_string()),
            Some(hardware) => {
                // A device that is there and wrong is a failure, not a reason to skip.
                assert_eq!(device["usable"], true, "{device}");
                Ok(hardware.to_string())
            }
        }
    }

    /// Runs the command, however long it takes: a software driver compiles each shader for seconds.
    fn run(args: &[&str]) -> String {
        let output = std::process::Command::new(PROMPTSRC)
            .args(args)
            .env("HF_HUB_OFFLINE", "1")
            .output()
            .expect("the command starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn json(args: &[&str]) -> Value {
        serde_json::from_str(&run(args)).expect("JSON")
    }

    fn floats(bytes: &[u8]) -> Vec<f32> {
        let words = bytes.chunks_exact(4);
        words
            .map(|word| f32::from_le_bytes(word.try_into().expect("4 bytes")))
            .collect()
    }

    /// Largest difference of the tensors of two files, relative to the largest value of each.
    fn difference(one: &str, other: &str) -> f32 {
        let bytes = [one, other].map(|path| fs::read(path).expect("a file"));
        let [one, other] = bytes
            .each_ref()
            .map(|bytes| SafeTensors::deserialize(bytes).expect("safetensors"));
        let mut worst = 0.0f32;
        for (name, tensor) in one.tensors() {
            if tensor.dtype() != safetensors::Dtype::F32 {
                continue;
            }
            let other = other.tensor(&name).expect("the same tensors");
            let (a, b) = (floats(tensor.data()), floats(other.data()));
            assert_eq!(a.len(), b.len(), "{name}");
            let largest = a.iter().fold(f32::MIN_POSITIVE, |m, v| m.max(v.abs()));
            for (a, b) in a.iter().zip(&b) {
                assert!(b.is_finite(), "{name}: {b}");
                worst = worst.max((a - b).abs() / largest);
            }
        }
        worst
    }

    fn losses(run: &str) -> Vec<f64> {
        let log = fs::read_to_string(below(run, "log.jsonl")).expect("a log");
        let events = log
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        let steps = events.filter(|event: &Value| event["event"] == "step");
        steps
            .map(|step| step["total"].as_f64().expect("a loss"))
            .collect()
    }

    #[test]
    fn a_gpu_agrees_with_the_cpu() {
        let hardware = match hardware() {
            Ok(hardware) => hardware,
            Err(why) => return skipped(&why),
        };
        let folder = scratch();
        let path = |name: &str| below(&folder, name);
        let say = |what: &str, value: f64, bound: f64| {
            let line = format!("{what}: {value:.1e} ({bound:.0e} allowed)\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
            assert!(value <= bound, "{what} on {hardware}: {value} > {bound}");
        };
        say(&format!("\n{hardware}\ndifferences to the CPU"), 0.0, 0.0);

        for (name, clip) in [("mini", "mini"), ("tiny", clip().as_str())] {
            let (cpu, gpu) = (path(&format!("{name}-c")), path(&format!("{name}-g")));
            let embed = |out: &str, more: &[&str]| {
                let out = format!("{out}.safetensors");
                let data = images();
                let args = [
                    "embed",
                    "--images",
                    &data,
                    "--clip",
                    clip,
                    "--precision",
                    "f32",
                    "--out",
                    &out,
                ];
                run(&[&args[..], more].concat());
                out
            };
            let features = difference(&embed(&cpu, &[]), &embed(&gpu, &ON_GPU));
            say(&format!("{name}: image features"), features.into(), 1e-4);

            // A small training with every loss and prompts in every layer.
            let options = ["--epochs", "3", "--precision", "f32"];
            let data = images();
            let train = |out: &str, more: &[&str]| {
                let args = [
                    "train", "--clip", clip, "--data", &data, "--shots", "2", "--out", out,
                ];
                run(&[&args[..], &options, more].concat());
            };
            train(&cpu, &[]);
            train(&gpu, &ON_GPU);
            let (on_cpu, on_gpu) = (losses(&cpu), losses(&gpu));
            assert_eq!(on_cpu.len(), on_gpu.len());
            let apart = |(a, b): (&f64, &f64)| (a - b).abs() / a.abs().max(1e-6);
            say(
                &format!("{name}: loss of the first step"),
                apart((&on_cpu[0], &on_gpu[0])),
                1e-4,
            );
            let all = on_cpu.iter().zip(&on_gpu).map(apart).fold(0.0, f64::max);
            say(
                &format!("{name}: losses of {} steps", on_cpu.len()),
                all,
                1e-3,
            );
            let adapter = |run: &str| below(run, "adapter.safetensors");
            let learned = difference(&adapter(&cpu), &adapter(&gpu));
            say(&format!("{name}: learned prompts"), learned.into(), 2e-3);

            // The same adapter on both: accuracy and probabilities.
            let eval = |more: &[&str]| {
                let data = images();
                let args = ["eval", &cpu, "--clip", clip, "--data", &data, "--json"];
                json(&[&args[..], more].concat())
            };
            assert_eq!(eval(&[])["correct"], eval(&ON_GPU)["correct"]);
            let predict = |more: &[&str]| {
                let data = images();
                let args = ["predict", &cpu, &data, "--clip", clip, "--json"];
                let found = json(&[&args[..], more].concat());
                let text = found.to_string();
                let numbers = text.split(|c: char| !c.is_ascii_digit() && !".e-".contains(c));
                let numbers =
                    numbers.filter_map(|n| n.contains('.').then(|| n.parse::<f64>().ok())?);
                numbers.collect::<Vec<f64>>()
            };
            let (on_cpu, on_gpu) = (predict(&[]), predict(&ON_GPU));
            assert!(on_cpu.len() > 10 && on_cpu.len() == on_gpu.len());
            let apart = on_cpu.iter().zip(&on_gpu).map(|(a, b)| (a - b).abs());
            say(
                &format!("{name}: probabilities"),
                apart.fold(0.0, f64::max),
                1e-3,
            );
        }

        // Killed after an epoch and resumed: the same bytes as in one go, on the same device.
        let whole = path("tiny-g");
        let run = path("killed");
        let options = ["--epochs", "3", "--precision", "f32", "--device", "wgpu"];
        let mut child = start_with(&run, &options);
        while !has_state(&run) && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        kill(child);
        let resumed = start_with(&run, &[&options[..], &["--resume"]].concat()).wait();
        assert!(resumed.expect("an end").success());
        let resumed = difference(
            &below(&whole, "adapter.safetensors"),
            &below(&run, "adapter.safetensors"),
        );
        say(
            "resumed after a kill, against one go on the GPU",
            resumed.into(),
            0.0,
        );
    }

    #[test]
    fn without_a_driver_there_is_an_error_and_no_panic() {
        let nothing = "VK_DRIVER_FILES=/nowhere.json VK_ICD_FILENAMES=/nowhere.json __EGL_VENDOR_LIBRARY_FILENAMES=/nowhere.json WGPU_BACKEND=vulkan";
        let script = format!(
            "env {nothing} HF_HUB_OFFLINE=1 \"$0\" embed --images \"$1\" --clip mini --device wgpu --out \"$2\""
        );
        let folder = scratch();
        let out = below(&folder, "out.safetensors");
        let ending = shell(&script, &[&images(), &out]).fails(1, &["wgpu", "--device cpu"]);
        assert!(!ending.stderr.contains("panicked"), "{ending}");
        assert!(!std::path::Path::new(&out).exists());
    }
}
