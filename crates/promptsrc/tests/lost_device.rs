//! A device that is lost in the middle of a computation, where the build has one and a driver is there.
#![cfg(feature = "wgpu")]

use std::io::Write;

use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{Device, Tensor};
use promptsrc::{DeviceError, catching};
use promptsrc_clip::values;

#[test]
fn a_lost_device_is_an_error_that_names_it() {
    let opened = [WgpuBackend::Vulkan, WgpuBackend::Gl, WgpuBackend::Metal]
        .into_iter()
        .find_map(|api| {
            let options = Device::wgpu_options().graphics_api(api);
            options.init_with_setup().ok()
        });
    let Some((device, setup)) = opened else {
        let _ = writeln!(
            std::io::stderr(),
            "\nskipped: a lost device: there is no driver"
        );
        return;
    };
    let sum = |device: &Device| values(Tensor::<1>::ones([8], device) + 1.0);
    assert_eq!(catching("wgpu", || sum(&device)), Ok(vec![2.0; 8]));
    setup.device.destroy();
    let lost = catching("wgpu", || sum(&device));
    let Err(DeviceError::Failed { name, reason }) = lost else {
        panic!("a lost device gave {lost:?}");
    };
    assert_eq!(name, "wgpu");
    assert!(!reason.is_empty());
    let _ = writeln!(std::io::stderr(), "lost: {reason}");
}
