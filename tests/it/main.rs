//! Black-box tests, one binary. A test's name is a sentence about behaviour.

mod cli_read;
mod compose;
mod config;
mod intake_facts;
mod intake_files;
mod smtp;
mod support;
mod templates;
