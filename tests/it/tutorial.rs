//! The tutorial and the cookbook of docs/rules.md, followed word for word from an empty folder.
//!
//! A block with `file=<path>` is saved, one of `sh` is run, one of `sh fails` must fail, and each line of
//! one of `text says` must be in what the command before it printed.

use std::path::Path;
use std::process::Command;

use crate::kit::Folder;

/// A fenced block: what stands behind the fence, and its lines.
struct Block<'a> {
    info: &'a str,
    text: String,
}

/// The blocks of the part of a page between two headings.
fn blocks<'a>(page: &'a str, from: &str, to: &str) -> Vec<Block<'a>> {
    let start = page
        .find(from)
        .unwrap_or_else(|| panic!("no heading {from:?}"));
    let part = &page[start..];
    let part = part.find(to).map_or(part, |end| &part[..end]);
    let mut blocks = Vec::new();
    let mut lines = part.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block {
                info,
                text: text.join("\n") + "\n",
            });
        }
    }
    blocks
}

fn save(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Runs a block as a user's shell would; returns what it printed, and whether all of it went well.
fn shell(folder: &Path, text: &str) -> (String, bool) {
    let binary = Path::new(env!("CARGO_BIN_EXE_onscene"));
    let path = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let output = Command::new("sh")
        .args(["-e", "-c", text])
        .current_dir(folder)
        .env("PATH", path)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap(), output.status.success())
}

/// Follows blocks; returns how many commands were run.
fn follow(folder: &Path, blocks: &[Block<'_>]) -> usize {
    let (mut said, mut commands) = (String::new(), 0);
    for block in blocks {
        let mut info = block.info.split(' ');
        let (language, rest) = (info.next().unwrap(), info.next());
        match (language, rest) {
            (_, Some(file)) if file.starts_with("file=") => {
                save(folder, &file["file=".len()..], &block.text);
            }
            ("sh", expected @ (None | Some("fails"))) => {
                let (output, fine) = shell(folder, &block.text);
                assert_eq!(fine, expected.is_none(), "{}\n{output}", block.text);
                said = output;
                commands += 1;
            }
            ("text", Some("says")) => {
                for line in block.text.lines() {
                    assert!(said.contains(line), "{line:?} is not in:\n{said}");
                }
            }
            other => panic!("what is to be done with a block of {other:?}?"),
        }
    }
    commands
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_tutorial_works_word_for_word_from_an_empty_folder() {
    let (page, folder) = (page(), Folder::new());
    let blocks = blocks(&page, "## From an empty folder", "\n## ");
    let commands = follow(folder.path(), &blocks);
    assert!(commands >= 7, "{commands} commands");
}

#[test]
fn every_recipe_of_the_cookbook_is_sound_and_passes_its_tests() {
    let (page, folder) = (page(), Folder::new());
    let blocks = blocks(&page, "## Cookbook", "\n## ");
    follow(folder.path(), &blocks);
    let (said, fine) = shell(
        folder.path(),
        "onscene check --deny-warnings && onscene test",
    );
    assert!(fine, "{said}");
    let recipes = page.matches("file=rules/recipes/").count();
    assert!(recipes >= 14, "{recipes} files");
}
