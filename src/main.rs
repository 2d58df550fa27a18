//! The program; everything is in the library.

use std::alloc::System;
use std::process::ExitCode;

use alloc_tracker::Allocator;

/// Counts by thread what `herder bench` reports: allocations, and bytes held at once.
#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::system();

fn main() -> ExitCode {
    herder::cli::main()
}
