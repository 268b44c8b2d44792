//! All integration tests, in one binary.

mod intake_facts;
mod intake_files;
