//! Devices to compute on, by their names on the command line.

use burn::tensor::Device;

/// A device that this build does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown device {name:?}: this build has {known}")]
pub struct DeviceError {
    name: String,
    known: String,
}

/// Names of the devices of this build. GPU devices are features of the build.
pub fn device_names() -> Vec<&'static str> {
    let mut names = vec!["cpu"];
    for (available, name) in [
        (cfg!(feature = "vulkan"), "vulkan"),
        (cfg!(feature = "metal"), "metal"),
        (cfg!(feature = "webgpu"), "webgpu"),
        (cfg!(feature = "cuda"), "cuda"),
        (cfg!(feature = "rocm"), "rocm"),
    ] {
        if available {
            names.push(name);
        }
    }
    names
}

/// The device with that name.
///
/// # Errors
/// [`DeviceError`] if this build does not have it.
pub fn device(name: &str) -> Result<Device, DeviceError> {
    match name {
        "cpu" => Ok(Device::flex()),
        #[cfg(feature = "vulkan")]
        "vulkan" => Ok(Device::vulkan(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "metal")]
        "metal" => Ok(Device::metal(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "webgpu")]
        "webgpu" => Ok(Device::webgpu(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Device::cuda(burn::tensor::DeviceIndex::Default)),
        #[cfg(feature = "rocm")]
        "rocm" => Ok(Device::rocm(burn::tensor::DeviceIndex::Default)),
        _ => Err(DeviceError {
            name: name.to_string(),
            known: device_names().join(", "),
        }),
    }
}
