//! Black-box tests, one binary. A test's name is a sentence about behaviour.

mod smtp;
mod support;
