//! Devices to compute on, by their names on the command line: opened once, believed after they have
//! shown the CPU's numbers, and never the end of the process.

use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};

use burn::tensor::Device;
use promptsrc_clip::{ClipConfig, check_device};

/// The name of the processor as a device: the kernels.
pub const CPU: &str = "cpu";

/// A device that is not there, fails, or computes something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// This build does not have it.
    #[error("unknown device {name:?}: this build has {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// This machine does not have it, or no driver for it.
    #[error("device {name} cannot be opened: {reason}; --device cpu needs no driver")]
    Unavailable {
        /// The name.
        name: String,
        /// What the driver or the system says.
        reason: String,
    },
    /// It gives wrong numbers.
    #[error(
        "device {name} ({hardware}) computes wrong numbers: {reason}; use another driver, or --device cpu"
    )]
    Wrong {
        /// The name.
        name: String,
        /// The device's and the driver's name.
        hardware: String,
        /// What differs.
        reason: String,
    },
    /// It failed while it computed: lost, or out of memory.
    #[error(
        "device {name} failed: {reason}. What is saved stays whole: resume it, with smaller batches or fewer \
         classes if the device has too little memory"
    )]
    Failed {
        /// The name.
        name: String,
        /// What failed first.
        reason: String,
    },
}

/// A device that has been opened.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    /// Its name on the command line.
    pub name: String,
    /// The device.
    pub device: Device,
    /// The device's and the driver's name.
    pub hardware: String,
}

/// Names of the devices of this build. GPU devices are features of the build.
pub fn device_names() -> Vec<&'static str> {
    let mut names = vec![CPU];
    for (available, name) in [
        (cfg!(feature = "wgpu"), "wgpu"),
        (cfg!(feature = "vulkan"), "vulkan"),
        (cfg!(feature = "metal"), "metal"),
        (cfg!(feature = "cuda"), "cuda"),
        (cfg!(feature = "rocm"), "rocm"),
    ] {
        if available {
            names.push(name);
        }
    }
    names
}

/// The device with that name. A device is opened once in a process.
///
/// # Errors
/// [`DeviceError::Unknown`] if this build does not have it, [`DeviceError::Unavailable`] if this machine
/// does not.
pub fn device(name: &str) -> Result<OpenDevice, DeviceError> {
    static OPENED: Mutex<BTreeMap<String, OpenDevice>> = Mutex::new(BTreeMap::new());
    if !device_names().contains(&name) {
        return Err(DeviceError::Unknown {
            name: name.to_string(),
            known: device_names().join(", "),
        });
    }
    let mut opened = locked(&OPENED);
    if let Some(device) = opened.get(name) {
        return Ok(device.clone());
    }
    let unavailable = |reason: String| DeviceError::Unavailable {
        name: name.to_string(),
        reason,
    };
    // A missing driver is a panic with some of them.
    let (device, hardware) = caught(name, || open(name))
        .map_err(&unavailable)?
        .map_err(unavailable)?;
    let device = OpenDevice {
        name: name.to_string(),
        device,
        hardware,
    };
    opened.insert(name.to_string(), device.clone());
    Ok(device)
}

/// The device and what it calls itself.
fn open(name: &str) -> Result<(Device, String), String> {
    match name {
        CPU => {
            let processor = promptsrc_clip::processor_name();
            Ok((Device::flex(), processor.unwrap_or_default()))
        }
        #[cfg(feature = "wgpu")]
        "wgpu" => first_graphics(),
        #[cfg(feature = "vulkan")]
        "vulkan" => graphics(burn::tensor::wgpu::WgpuBackend::Vulkan),
        #[cfg(feature = "metal")]
        "metal" => graphics(burn::tensor::wgpu::WgpuBackend::Metal),
        #[cfg(feature = "cuda")]
        "cuda" => started(Device::cuda(burn::tensor::DeviceIndex::Default)),
        #[cfg(feature = "rocm")]
        "rocm" => started(Device::rocm(burn::tensor::DeviceIndex::Default)),
        _ => Err("this build does not have it".to_string()),
    }
}

/// The best adapter of the first graphics interface of this system that has one, with shaders in WGSL.
#[cfg(feature = "wgpu")]
fn first_graphics() -> Result<(Device, String), String> {
    use burn::tensor::wgpu::WgpuBackend::{Dx12, Gl, Metal, Vulkan};
    let interfaces: &[_] = match std::env::consts::OS {
        "macos" | "ios" => &[Metal],
        "windows" => &[Dx12, Vulkan, Gl],
        _ => &[Vulkan, Gl],
    };
    let mut reasons = Vec::new();
    for interface in interfaces {
        match graphics(*interface) {
            Ok(opened) => return Ok(opened),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(reasons.join("; "))
}

/// The best adapter of a graphics interface.
#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
fn graphics(api: burn::tensor::wgpu::WgpuBackend) -> Result<(Device, String), String> {
    let (device, setup) = Device::wgpu_options()
        .graphics_api(api)
        .init_with_setup()
        .map_err(|error| error.to_string())?;
    let adapter = setup.adapter.get_info();
    let driver = [adapter.driver.trim(), adapter.driver_info.trim()].join(" ");
    Ok((
        device,
        format!(
            "{}, {:?}, driver {}",
            adapter.name.trim(),
            adapter.backend,
            match driver.trim() {
                "" => "unknown",
                driver => driver,
            }
        ),
    ))
}

/// A device whose driver starts with its first tensor.
#[cfg(any(feature = "cuda", feature = "rocm"))]
fn started(device: Device) -> Result<(Device, String), String> {
    let ones = burn::tensor::Tensor::<1>::ones([4], &device);
    match promptsrc_clip::values(ones + 1.0).as_slice() {
        [2.0, 2.0, 2.0, 2.0] => {
            let hardware = format!("{device:?}");
            Ok((device, hardware))
        }
        other => Err(format!("1 + 1 gives {other:?}")),
    }
}

impl OpenDevice {
    /// Whether it is the processor, which computes with the kernels.
    pub fn is_cpu(&self) -> bool {
        self.name == CPU
    }

    /// Compares it with the CPU in the shapes of a CLIP, once in a process for each. The CPU has
    /// nothing to show.
    ///
    /// # Errors
    /// [`DeviceError::Wrong`], [`DeviceError::Failed`].
    pub fn prove(&self, config: &ClipConfig) -> Result<(), DeviceError> {
        static PROVED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
        if self.is_cpu() {
            return Ok(());
        }
        let key = format!("{} {config:?}", self.name);
        if locked(&PROVED).contains(&key) {
            return Ok(());
        }
        catching(&self.name, || check_device(&self.device, config))?.map_err(|error| {
            DeviceError::Wrong {
                name: self.name.clone(),
                hardware: self.hardware.clone(),
                reason: error.to_string(),
            }
        })?;
        locked(&PROVED).insert(key);
        Ok(())
    }
}

/// Runs what computes on a device. Drivers report a lost device or a lack of memory in the middle of
/// a computation, as a panic: here it ends and becomes an error. On the CPU nothing is caught.
///
/// While it runs, panics of the process are kept from standard error.
///
/// # Errors
/// [`DeviceError::Failed`].
pub fn catching<T>(name: &str, work: impl FnOnce() -> T) -> Result<T, DeviceError> {
    caught(name, work).map_err(|reason| DeviceError::Failed {
        name: name.to_string(),
        reason,
    })
}

/// What the threads of a caught computation said when they panicked, first to last.
#[derive(Default)]
struct Watched {
    computations: usize,
    messages: Vec<String>,
}

static WATCHED: Mutex<Watched> = Mutex::new(Watched {
    computations: 0,
    messages: Vec::new(),
});

/// The message of the first panic, on this thread or one of the driver's. On the CPU nothing is caught.
fn caught<T>(name: &str, work: impl FnOnce() -> T) -> Result<T, String> {
    if name == CPU {
        return Ok(work());
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let mut watched = locked(&WATCHED);
            match watched.computations {
                0 => {
                    drop(watched);
                    before(info);
                }
                _ => watched.messages.push(message(info.payload())),
            }
        }));
    });
    locked(&WATCHED).computations += 1;
    let result = catch_unwind(AssertUnwindSafe(work));
    let mut watched = locked(&WATCHED);
    watched.computations -= 1;
    let said = match watched.computations {
        0 => std::mem::take(&mut watched.messages),
        _ => watched.messages.clone(),
    };
    drop(watched);
    result.map_err(|payload| {
        let first = said.into_iter().next();
        first.unwrap_or_else(|| message(payload.as_ref()))
    })
}

/// The first lines of a panic's message, as one.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = match (payload.downcast_ref::<String>(), payload.downcast_ref()) {
        (Some(text), _) => text.as_str(),
        (None, Some(text)) => *text,
        (None, None) => "without a message",
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.take(4).collect::<Vec<_>>().join(" ")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_fails_is_an_error_with_the_first_message() {
        let error = catching::<()>("gpu", || {
            let driver = std::thread::spawn(|| panic!("wgpu error: Out of Memory\n  in a call\n"));
            driver.join().ok();
            panic!("the channel is closed");
        });
        let Err(DeviceError::Failed { name, reason }) = error else {
            panic!("no failure");
        };
        assert_eq!(name, "gpu");
        assert_eq!(reason, "wgpu error: Out of Memory in a call");
        assert_eq!(catching("gpu", || 3), Ok(3));
    }

    #[test]
    fn a_device_that_this_build_lacks_is_refused_with_those_it_has() {
        let error = device("webgpu").unwrap_err().to_string();
        assert!(
            error.contains("\"webgpu\"") && error.contains(CPU),
            "{error}"
        );
    }
}
