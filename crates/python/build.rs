//! Lets the linker leave Python's symbols to Python, where it does not by itself.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
