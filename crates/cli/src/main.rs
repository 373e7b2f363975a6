//! The `promptsrc` command.

use std::process::ExitCode;

// The autodiff engine allocates and frees many buffers; mimalloc makes that much faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    promptsrc_cli::main(std::env::args_os())
}
