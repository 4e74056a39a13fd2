//! The rule files of the generations that decided something.

use super::findings::Findings;
use crate::audit::Tail;
use crate::governance::{GovernanceError, texts};
use crate::nats::{ChainHash, Connection};
use crate::rules::Sources;
use anyhow::{Context as _, bail};
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// Puts the hash of each generation's rule files into the last line of an export, and the files into a folder if one is
/// given. Returns how many generations have none.
pub(super) async fn gather(
    connection: &Connection,
    folder: Option<&Path>,
    tail: &mut Tail,
) -> anyhow::Result<usize> {
    let mut missing = 0;
    for of in &mut tail.generations {
        match texts::load(connection, &of.generation).await {
            Ok(sources) => {
                of.texts = Some(ChainHash(sources.digest()));
                if let Some(folder) = folder {
                    write(folder, &of.generation, &sources)?;
                }
            }
            Err(error @ GovernanceError::Broker(_)) => return Err(error.into()),
            Err(error) => {
                missing += 1;
                eprintln!(
                    "{} decisions without their rule files: could not {error}",
                    of.decisions
                );
            }
        }
    }
    Ok(missing)
}

/// Writes files into the folder of their generation; if there is one already, it must hold the same.
fn write(folder: &Path, generation: &str, sources: &Sources) -> anyhow::Result<()> {
    let place = folder.join(generation);
    if place.exists() {
        let there =
            Sources::read(&place).with_context(|| format!("could not read {}", place.display()))?;
        if there.digest() != sources.digest() {
            bail!("{} holds other files: name another folder", place.display());
        }
        return Ok(());
    }
    for file in sources.files() {
        let path = Path::new(&*file.path);
        // It comes from a bucket that others may write: it must not lead out of the folder.
        if !path
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            bail!("generation {generation} has a file called {}", file.path);
        }
        let path = place.join(path);
        let parent = path.parent().unwrap_or(&place);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, file.text.as_bytes()))
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}

/// Whether a folder holds the rule files of each generation, in folders named by them.
///
/// A generation is a part of its files' hash, so that the files make it or are others; an export has all of the hash.
pub(super) fn verify(
    folder: &Path,
    generations: &BTreeMap<String, u64>,
    exported: &BTreeMap<String, ChainHash>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    for (generation, decisions) in generations {
        let place = folder.join(generation);
        if !place.is_dir() {
            let says = format!("{decisions} decisions, and no folder {}", place.display());
            findings.fault("texts", generation, &says);
            continue;
        }
        let sources =
            Sources::read(&place).with_context(|| format!("could not read {}", place.display()))?;
        let (made, hash) = (sources.generation(), ChainHash(sources.digest()));
        if *made != **generation {
            let says = format!(
                "{decisions} decisions, but the files in {} make generation {made}",
                place.display()
            );
            findings.fault("texts", generation, &says);
        } else if exported.get(generation).is_some_and(|known| *known != hash) {
            let says = format!(
                "{decisions} decisions, but the files in {} are others than were exported, of hash {hash}",
                place.display()
            );
            findings.fault("texts", generation, &says);
        } else {
            let says = format!("{decisions} decisions by {} rules", sources.rules.len());
            findings.sound("texts", generation, &says);
        }
    }
    Ok(())
}
