//! The machine that computes: what an engineer has to know of it to judge times and the last digits of numbers.

use std::fmt;

use promptsrc_clip::{InstructionSet, processor_name};
use serde::{Deserialize, Serialize};

use crate::clip::Clip;

/// A machine, without anything that tells one from others of its kind: no name, no person, no path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// What the processor calls itself; `None` where it does not say.
    pub processor: Option<String>,
    /// Its architecture: `x86_64`.
    pub architecture: String,
    /// The operating system: `linux`.
    pub system: String,
    /// Cores that the process may use, counted as the system counts them.
    pub cores: usize,
    /// Threads that the arithmetic is divided among.
    pub threads: usize,
    /// The instructions that the kernels use: a name of [`InstructionSet`].
    pub instructions: String,
    /// The device that computes where that is not the processor, with its driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

impl Machine {
    /// This machine, computing on its processor.
    pub fn here() -> Self {
        let instructions = InstructionSet::chosen().map_or("unknown", InstructionSet::name);
        Self {
            processor: processor_name(),
            architecture: std::env::consts::ARCH.to_string(),
            system: std::env::consts::OS.to_string(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads: rayon::current_num_threads(),
            instructions: instructions.to_string(),
            device: None,
        }
    }

    /// This machine, computing with a CLIP on its device.
    pub fn of(clip: &Clip) -> Self {
        let device = clip.open_device();
        Self {
            device: (!device.is_cpu()).then(|| device.hardware.clone()),
            ..Self::here()
        }
    }
}

/// In one line: `AMD EPYC 7763 64-Core Processor, 2 threads on 2 cores, avx2, linux x86_64`.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(device) = &self.device {
            write!(f, "{device}, with ")?;
        }
        let processor = self.processor.as_deref().unwrap_or("an unknown processor");
        let counted = |n: usize, what: &str| match n {
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        };
        write!(
            f,
            "{processor}, {} on {}, {}, {} {}",
            counted(self.threads, "thread"),
            counted(self.cores, "core"),
            self.instructions,
            self.system,
            self.architecture
        )
    }
}

/// Machines in one line; `None` is one that was not recorded.
pub fn machines_in_words(machines: &[Option<Machine>]) -> String {
    let words = |machine: &Option<Machine>| match machine {
        Some(machine) => machine.to_string(),
        None => "not recorded".to_string(),
    };
    match machines {
        [] => words(&None),
        several => several
            .iter()
            .map(words)
            .collect::<Vec<_>>()
            .join("; then "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_in_one_line() {
        let machine = Machine {
            processor: Some("Some CPU".to_string()),
            architecture: "x86_64".to_string(),
            system: "linux".to_string(),
            cores: 2,
            threads: 1,
            instructions: "avx2".to_string(),
            device: None,
        };
        let line = "Some CPU, 1 thread on 2 cores, avx2, linux x86_64";
        assert_eq!(machine.to_string(), line);
        let on_device = Machine {
            device: Some("A GPU (driver 1)".to_string()),
            ..machine.clone()
        };
        assert_eq!(
            on_device.to_string(),
            format!("A GPU (driver 1), with {line}")
        );
        assert!(Machine::here().threads > 0);
        assert_eq!(machines_in_words(&[]), "not recorded");
        let resumed = machines_in_words(&[None, Some(machine)]);
        assert_eq!(resumed, format!("not recorded; then {line}"));
    }
}
