//! One claim for each rule of a real Ollama host, and the same host driven at random.
//!
//! A comment above each test names its rule: S1 to S10 the scheduler's, R the runner's, F what fits, D defaults, L long
//! prompts, T the times in the last line, V what v0.10 does otherwise.

mod conformance {
    mod loading;
    mod memory;
    mod random;
    mod release;
    mod reload;
    mod requests;
    mod scheduler;
    mod sharing;
    mod versions;
    mod world;
}
