//! Black-box tests, one binary. A test's name is a sentence about behaviour.

mod compose;
mod smtp;
mod support;
