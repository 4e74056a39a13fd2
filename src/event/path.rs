//! Where in a nested value something stands.

use std::fmt;

/// The path to a part of a value, such as `data.items[2].name`. It is written out only for a message:
/// nearly all values are sound, and making text of each path cost more than checking them.
#[derive(Clone, Copy, Debug)]
pub enum Path<'a> {
    /// The whole value, by its name.
    Whole(&'a str),
    /// A field of a record.
    Field(&'a Path<'a>, &'a str),
    /// An item of a list, from 0.
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(name) => f.write_str(name),
            Self::Field(of, name) => write!(f, "{of}.{name}"),
            Self::Item(of, at) => write!(f, "{of}[{at}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn a_path_reads_from_the_whole_to_the_part() {
        let data = Path::Whole("data");
        let items = Path::Field(&data, "items");
        let item = Path::Item(&items, 2);
        assert_eq!(Path::Field(&item, "name").to_string(), "data.items[2].name");
    }
}
