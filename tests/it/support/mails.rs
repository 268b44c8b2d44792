//! Mails that came back, as the servers of the world write them. Each is about a notice of order 1042 to Ana.

/// The mail of that name (see `tests/it/mails`), about this notice with this envelope sender; lines end as on the wire.
pub fn mail(name: &str, notice: &str, sender: &str) -> Vec<u8> {
    let path = format!("{}/tests/it/mails/{name}.eml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.replace("NOTICE", notice).replace("SENDER", sender).replace('\n', "\r\n").into_bytes()
}
