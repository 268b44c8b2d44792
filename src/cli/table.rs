//! Tables in plain text: columns side by side, aligned by what a terminal shows, nothing behind the last word.

use crate::text::{grouped, plain};

/// How many of many are shown before a question.
pub(super) const SAMPLES: u8 = 5;

/// Rows of cells. A column is as wide as its widest cell; the last one runs free.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// Columns of numbers, which end at the same place.
    right: Vec<usize>,
}

impl Table {
    /// A table without a head.
    pub fn new() -> Self {
        Self::default()
    }

    /// A table whose first row names its columns.
    pub fn headed<const N: usize>(names: [&str; N]) -> Self {
        let mut table = Self::new();
        table.row(names.map(str::to_owned));
        table
    }

    /// Ends the cells of a column at the same place.
    pub fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // A cell may hold a customer's or a server's words: it is one line and moves no cursor.
        self.rows.push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    /// The table as text, a line per row; empty without rows.
    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, wide)) in row.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(wide.saturating_sub(width(cell)));
                let (before, after) =
                    if self.right.contains(&column) { (gap.as_str(), "") } else { ("", gap.as_str()) };
                line.push_str(&format!("{before}{cell}{after}  "));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The table as a sample of `all`: with how many more there are.
    pub fn text_of(&self, all: usize) -> String {
        let more = all.saturating_sub(self.rows.len());
        let more = if more > 0 { format!("  and {} more\n", grouped(more)) } else { String::new() };
        self.text() + &more
    }
}

/// Columns of a terminal that `text` takes. What combines takes none, what is written in squares takes two.
fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '\u{0300}'..='\u{036F}' | '\u{200B}'..='\u{200F}' | '\u{FE00}'..='\u{FE0F}' => 0,
            '\u{1100}'..='\u{115F}'
            | '\u{2E80}'..='\u{303E}'
            | '\u{3041}'..='\u{A4CF}'
            | '\u{AC00}'..='\u{D7A3}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{FE30}'..='\u{FE6F}'
            | '\u{FF00}'..='\u{FF60}'
            | '\u{FFE0}'..='\u{FFE6}'
            | '\u{1F300}'..='\u{1F64F}'
            | '\u{1F680}'..='\u{1F6FF}'
            | '\u{1F900}'..='\u{1FAFF}'
            | '\u{20000}'..='\u{3FFFD}' => 2,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_is_seen_and_nothing_trails() {
        let mut table = Table::headed(["sku", "units", "title"]).right(1);
        table.row(["A".to_owned(), "7".to_owned(), "Tasse".to_owned()]);
        table.row(["急須".to_owned(), "1200".to_owned(), String::new()]);
        assert_eq!(table.text(), "sku   units  title\nA         7  Tasse\n急須   1200\n");
    }

    #[test]
    fn a_cell_is_one_line_whatever_it_holds() {
        let mut table = Table::new();
        table.row(["a\r\n\u{1b}[2Jb\u{202e}c".to_owned()]);
        assert_eq!(table.text(), "a\\r\\n\\u{1b}[2Jb\\u{202e}c\n");
    }
}
