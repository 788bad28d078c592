//! Secrets are named in a config and never stand in it.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::guard::key::Key;

/// A secret by reference: a file, or a credential that systemd hands over.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    pub file: Option<PathBuf>,
    pub credential: Option<String>,
}

impl Secret {
    /// Reads it: the file, or the credential from the folder that systemd names.
    ///
    /// # Errors
    /// In words that name the reference and never the content.
    pub fn read(&self) -> Result<SecretString, String> {
        let (path, bytes) = self.bytes()?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| format!("{}: expected text in UTF-8", path.display()))?;
        Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// Reads 32 bytes of key material: as they are, or as 64 hexadecimal digits.
    ///
    /// # Errors
    /// As [`Secret::read`], or where it is no key.
    pub fn key(&self) -> Result<Key, String> {
        let (path, bytes) = self.bytes()?;
        Key::parse(&bytes).map_err(|cause| format!("{}: {cause}", path.display()))
    }

    fn bytes(&self) -> Result<(PathBuf, Zeroizing<Vec<u8>>), String> {
        let path = match (&self.file, &self.credential) {
            (Some(file), None) => file.clone(),
            (None, Some(name)) if is_plain(name) => credentials_folder()?.join(name),
            (None, Some(name)) => {
                return Err(format!(
                    "the credential {name:?} is a name, as after LoadCredential= in the unit; a path is {{ file = \"...\" }}"
                ));
            }
            _ => {
                return Err(
                    "a secret is either { file = \"...\" } or { credential = \"...\" }".to_owned()
                );
            }
        };
        let bytes = std::fs::read(&path)
            .map_err(|cause| format!("{}: {cause}", path.display()))
            .map(Zeroizing::new)?;
        // What systemd hands over is guarded by its folder and an access list, which a mode does not show.
        if self.file.is_some() {
            check_private(&path)?;
        }
        Ok((path, bytes))
    }
}

/// The name of a file and of no other place.
fn is_plain(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|file| file == name)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this variable is how systemd hands credentials over"
)]
fn credentials_folder() -> Result<PathBuf, String> {
    std::env::var("CREDENTIALS_DIRECTORY").map(PathBuf::from).map_err(|_| {
        "CREDENTIALS_DIRECTORY is not set; credentials come from a systemd unit".to_owned()
    })
}

/// A secret that everybody on the machine can read is none.
fn check_private(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)
        .map_err(|cause| format!("{}: {cause}", path.display()))?
        .permissions()
        .mode();
    let for_others = mode & 0o077;
    if for_others == 0 {
        return Ok(());
    }
    Err(format!("{} can be read by others (mode {:o}); chmod 600 it", path.display(), mode & 0o777))
}
