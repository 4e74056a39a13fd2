//! The rule files of the generations that decided something.

use super::findings::Findings;
use crate::rules::{Sources, SourcesError};
use std::collections::BTreeMap;
use std::path::Path;

/// Whether a folder holds the rule files of each generation, in folders named by them.
///
/// A generation is the content hash of its files, so that the files make it or are others.
pub(super) fn verify(
    folder: &Path,
    generations: &BTreeMap<String, u64>,
    findings: &mut Findings,
) -> Result<(), SourcesError> {
    for (generation, decisions) in generations {
        let place = folder.join(generation);
        if !place.is_dir() {
            let says = format!("{decisions} decisions, and no folder {}", place.display());
            findings.fault("texts", generation, &says);
            continue;
        }
        let sources = Sources::read(&place)?;
        let made = sources.generation();
        if *made == **generation {
            let says = format!("{decisions} decisions by {} rules", sources.rules.len());
            findings.sound("texts", generation, &says);
        } else {
            let says = format!(
                "{decisions} decisions, but the files in {} make generation {made}",
                place.display()
            );
            findings.fault("texts", generation, &says);
        }
    }
    Ok(())
}
