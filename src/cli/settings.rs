//! The flags that set what the configuration can set.

use crate::config::{Config, Setting};
use anyhow::Context as _;
use clap::Args;
use std::path::PathBuf;

/// The file that is read if it exists and no other is named.
const DEFAULT_FILE: &str = "onscene.toml";

/// Flags shared by the commands that read the configuration.
#[derive(Args, Debug, Default)]
pub(super) struct Settings {
    /// Configuration file [default: onscene.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE", env = "ONSCENE_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Folder with the rule files [default: rules]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) rules: Option<String>,
}

/// Flags of the commands that talk to NATS.
#[derive(Args, Debug, Default)]
pub(super) struct NatsSettings {
    /// URL of NATS [default: nats://127.0.0.1:4222]
    #[arg(long, global = true, value_name = "URL")]
    pub(super) nats: Option<String>,
}

impl Settings {
    /// Reads file, environment and flags.
    pub(super) fn load(&self, more: &[(&str, &str, Option<&str>)]) -> anyhow::Result<Config> {
        let path = match &self.config {
            Some(path) => Some(path.clone()),
            None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
        };
        let text = path
            .as_ref()
            .map(|path| {
                std::fs::read_to_string(path)
                    .with_context(|| format!("could not read {}", path.display()))
            })
            .transpose()?;
        let name = path.as_ref().map(|path| path.display().to_string());
        let file = name.as_deref().zip(text.as_deref());
        let mut flags: Vec<Setting> = more
            .iter()
            .filter_map(|(flag, key, value)| Some(Setting::flag(flag, key, (*value)?)))
            .collect();
        flags.extend(
            self.rules
                .iter()
                .map(|rules| Setting::flag("--rules", "rules.folder", rules)),
        );
        Ok(Config::load(file, std::env::vars(), flags)?)
    }
}
