//! All integration tests, in one binary.

mod intake_files;
