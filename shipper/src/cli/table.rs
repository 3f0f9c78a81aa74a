//! Columns of text, aligned. The last column is as wide as it likes.

use std::io;

use super::output::Output;

/// Rows under headings. Without rows nothing is printed.
pub(super) struct Table<const N: usize> {
    headings: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn of(headings: [&'static str; N]) -> Self {
        let rows = Vec::new();
        Self { headings, rows }
    }

    /// Adds a row. Control characters in it become spaces: what a server said must not move a terminal's cursor.
    pub(super) fn row(&mut self, row: [String; N]) {
        self.rows
            .push(row.map(|cell| cell.replace(char::is_control, " ")));
    }

    pub(super) fn print(&self, output: &mut Output<'_>) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut widths = self.headings.map(str::len);
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        output.line(aligned(&self.headings, &widths))?;
        self.rows
            .iter()
            .try_for_each(|row| output.line(aligned(row, &widths)))
    }
}

fn aligned<S: AsRef<str>>(cells: &[S], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, &width) in cells.iter().zip(widths) {
        line.push_str(&format!("{:width$}  ", cell.as_ref()));
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::of(["ID", "STATE"]);
        let mut printed = Vec::new();
        table.print(&mut Output::to(&mut printed)).expect("into memory");
        assert!(printed.is_empty());
        table.row(["a".to_owned(), "active".to_owned()]);
        table.row(["archive".to_owned(), "he\x1b[2Jld\n".to_owned()]);
        table.print(&mut Output::to(&mut printed)).expect("into memory");
        let printed = String::from_utf8(printed).expect("text");
        assert_eq!(printed, "ID       STATE\na        active\narchive  he [2Jld\n");
    }
}
