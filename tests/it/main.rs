//! Black-box tests, one binary. A test's name is a sentence about behaviour.

mod cli_read;
mod cli_write;
mod compose;
mod config;
mod daemon;
mod daemon_templates;
mod demo;
mod digest;
mod dispatcher;
mod hostile;
mod intake_facts;
mod intake_files;
mod layers;
mod postfix;
mod recovery;
mod replay;
mod smtp;
mod store;
mod story_blast;
mod story_dates;
mod story_delivery;
mod story_orders;
mod story_pause;
mod support;
mod template_check;
mod templates;
