//! Which GPU adapters there are. Burn panics when it finds none, so we look first.

use std::sync::Mutex;

use burn_wgpu::{RuntimeOptions, WgpuDevice, graphics, init_setup};

use crate::device::{Adapter, BackendName};

/// The graphics API that a backend goes through.
fn graphics_api(backend: BackendName) -> wgpu::Backend {
    use graphics::GraphicsApi;
    match backend {
        BackendName::Vulkan => graphics::Vulkan::backend(),
        BackendName::Metal => graphics::Metal::backend(),
        _ => graphics::AutoGraphicsApi::backend(),
    }
}

/// The adapters of a GPU backend, best first: discrete, integrated, virtual, software, other.
pub(crate) fn adapters(backend: BackendName) -> Vec<(Adapter, WgpuDevice)> {
    let api = graphics_api(backend);
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: api.into(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut counts = [0usize; 5];
    let mut found = Vec::new();
    for adapter in pollster::block_on(instance.enumerate_adapters(api.into())) {
        let info = adapter.get_info();
        let (rank, kind) = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => (0, "discrete GPU"),
            wgpu::DeviceType::IntegratedGpu => (1, "integrated GPU"),
            wgpu::DeviceType::VirtualGpu => (2, "virtual GPU"),
            wgpu::DeviceType::Cpu => (3, "software"),
            wgpu::DeviceType::Other => (4, "other"),
        };
        let number = counts[rank];
        counts[rank] += 1;
        // Burn addresses adapters by kind and number, software ones by their kind alone.
        let device = match rank {
            0 => WgpuDevice::DiscreteGpu(number),
            1 => WgpuDevice::IntegratedGpu(number),
            2 => WgpuDevice::VirtualGpu(number),
            3 if number == 0 => WgpuDevice::Cpu,
            4 => WgpuDevice::DefaultDevice,
            _ => continue,
        };
        let driver = format!("{} {}", info.driver, info.driver_info).trim().to_owned();
        found.push((rank, Adapter { name: info.name, kind: kind.to_owned(), driver }, device));
    }
    found.sort_by_key(|(rank, ..)| *rank);
    found.into_iter().map(|(_, adapter, device)| (adapter, device)).collect()
}

/// Makes Burn reach `device` through the backend's graphics API; later calls for one device do nothing.
pub(crate) fn initialise(backend: BackendName, device: &WgpuDevice) {
    static READY: Mutex<Vec<WgpuDevice>> = Mutex::new(Vec::new());
    let mut ready = READY.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if ready.contains(device) {
        return;
    }
    match backend {
        BackendName::Vulkan => init_setup::<graphics::Vulkan>(device, RuntimeOptions::default()),
        BackendName::Metal => init_setup::<graphics::Metal>(device, RuntimeOptions::default()),
        _ => init_setup::<graphics::AutoGraphicsApi>(device, RuntimeOptions::default()),
    };
    ready.push(device.clone());
}
