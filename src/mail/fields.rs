//! Blocks of `Name: value` fields, as headers and delivery reports are made of, read without trust.

/// Blocks that are looked at.
const MAX_BLOCKS: usize = 100;

/// The fields of one block, names in lower case, values on one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first field of a name, which is given in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The blocks of a text, each ended by an empty line. What is no field is passed over; what is no UTF-8 is shown as such.
pub(super) fn blocks(text: &[u8]) -> Vec<Fields> {
    let text = String::from_utf8_lossy(text);
    let (mut blocks, mut block) = (Vec::new(), Fields::default());
    for line in text.lines() {
        if line.trim().is_empty() {
            if !block.0.is_empty() {
                blocks.push(std::mem::take(&mut block));
            }
            if blocks.len() == MAX_BLOCKS {
                break;
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = block.0.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            block.0.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    if !block.0.is_empty() {
        blocks.push(block);
    }
    blocks
}
