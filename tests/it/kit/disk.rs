//! A disk that is small: a tmpfs in a mount namespace of its own, where the system lets one have that.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A mounted tmpfs; gone on drop. Only processes started by its [`launcher`](Self::launcher) see it.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    /// Keeps the namespace.
    holder: Child,
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many bytes at a folder; none where mounting is not permitted.
    pub(crate) fn mount(at: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let script = format!(
            "mount -t tmpfs -o size={bytes} tmpfs '{}' && echo mounted && exec sleep 100000",
            at.display()
        );
        let mut holder = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut said = [0; 7];
        let read = holder.stdout.as_mut().unwrap().read_exact(&mut said);
        if read.is_err() || &said != b"mounted" {
            let _ = holder.kill();
            let _ = holder.wait();
            return None;
        }
        let at = at.to_owned();
        Some(Self { holder, at })
    }

    /// A program that runs `program` with this disk.
    pub(crate) fn launcher(&self, folder: &Path, program: &Path) -> PathBuf {
        let path = folder.join("on-small-disk");
        let enter = self.enter().join(" ");
        let text = format!("#!/bin/sh\nexec {enter} '{}' \"$@\"\n", program.display());
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Makes it larger.
    pub(crate) fn resize(&self, bytes: u64) {
        let at = self.at.to_string_lossy();
        self.run(&["mount", "-o", &format!("remount,size={bytes}"), &at]);
    }

    /// Bytes that are still free.
    pub(crate) fn free(&self) -> u64 {
        let at = self.at.to_string_lossy();
        let said = self.run(&["stat", "--file-system", "--format", "%a %S", &at]);
        let numbers: Vec<u64> = said
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        numbers[0] * numbers[1]
    }

    fn enter(&self) -> Vec<String> {
        let pid = self.holder.id();
        let target = format!("--target={pid}");
        [
            "nsenter",
            &target,
            "--user",
            "--mount",
            "--preserve-credentials",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn run(&self, command: &[&str]) -> String {
        let enter = self.enter();
        let output = Command::new(&enter[0])
            .args(&enter[1..])
            .args(command)
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{command:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
