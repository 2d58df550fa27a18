//! herder composes the crates of the workspace: scenario files, runs, what-if.
