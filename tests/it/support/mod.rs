//! What several tests share: servers that behave badly on purpose.

pub mod smtp;
