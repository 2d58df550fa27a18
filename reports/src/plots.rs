//! (plots)
