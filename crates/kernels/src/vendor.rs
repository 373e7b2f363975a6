//! Who made this processor, and what it calls itself.

/// The maker of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// `AuthenticAMD`.
    Amd,
    /// `GenuineIntel`.
    Intel,
    /// Any other, and any that is not x86-64.
    Other,
}

impl Vendor {
    /// That of this processor.
    pub fn of_processor() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(vendor) = raw_cpuid::CpuId::new().get_vendor_info() {
            return match vendor.as_str() {
                "AuthenticAMD" => Self::Amd,
                "GenuineIntel" => Self::Intel,
                _ => Self::Other,
            };
        }
        Self::Other
    }
}

/// What this processor calls itself (`AMD EPYC 7763 64-Core Processor`); none where it does not say.
pub fn processor_name() -> Option<String> {
    #[cfg(target_arch = "x86_64")]
    if let Some(brand) = raw_cpuid::CpuId::new().get_processor_brand_string() {
        let name = brand.as_str().trim();
        return (!name.is_empty()).then(|| name.to_owned());
    }
    None
}
