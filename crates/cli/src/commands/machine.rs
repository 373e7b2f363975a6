//! `promptsrc inspect --machine`: what this machine has, and what is made of it.

use promptsrc::{CPU, Machine, device, device_names};
use promptsrc_clip::{CPU_VARIABLE, InstructionSet, Precision, Vendor, ceiling};
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// Width and width inside the MLP of ViT-B/16's image tower, on whose products speed is measured.
const WIDTHS: (usize, usize) = (768, 3072);

/// How often each product is measured; the best counts.
const ROUNDS: usize = 10;

pub fn describe() -> Result<Value, Failure> {
    let used = InstructionSet::chosen()?;
    let auto = Precision::auto()?;
    let mut limits = Map::new();
    for precision in [Precision::F32, Precision::Bf16] {
        let measured = precision
            .check()
            .is_ok()
            .then(|| ceiling(precision, WIDTHS.0, WIDTHS.1, ROUNDS).round());
        limits.insert(precision.to_string(), json!(measured));
    }
    let machine = Machine::here();
    Ok(json!({
        "kind": "machine",
        "processor": machine.processor,
        "architecture": machine.architecture,
        "system": machine.system,
        "vendor": match Vendor::of_processor() {
            Vendor::Amd => "AMD",
            Vendor::Intel => "Intel",
            Vendor::Other => "other",
        },
        "cores": machine.cores,
        "threads": machine.threads,
        "instructions": {
            "processor": InstructionSet::of_processor().name(),
            "used": used.name(),
            "limited_by": (used < InstructionSet::of_processor()).then_some(CPU_VARIABLE),
        },
        "auto": auto,
        "gflops": limits,
        "devices": devices()?,
    }))
}

/// The devices of this build beside the processor: what each is, or why it is not used.
fn devices() -> Result<Vec<Value>, Failure> {
    let clip = promptsrc_world::mini_clip()?;
    let describe = |name: &str| match device(name) {
        Ok(device) => {
            let proved = device.prove(clip.config());
            json!({
                "name": name,
                "hardware": device.hardware,
                "usable": proved.is_ok(),
                "error": proved.err().map(|error| error.to_string()),
            })
        }
        Err(error) => {
            json!({ "name": name, "hardware": null, "usable": false, "error": error.to_string() })
        }
    };
    let names = device_names().into_iter().filter(|name| *name != CPU);
    Ok(names.map(describe).collect())
}
