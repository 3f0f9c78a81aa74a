//! The file that holds a login: refresh token and last access token, 0600, shared by processes.
//!
//! # On disk
//! `NAME`: one JSON object, as `docs/FORMAT-TOKEN.md` has it. `NAME.lock`: locked (flock) by whoever refreshes, never
//! replaced. `NAME.next`: room for what a refresh brings, taken before the server is asked; zeros until then.
//!
//! # Why a crash loses nothing that was durable
//! `NAME.next` exists, has its blocks and its name is durable before the server is asked. What the answer brings is written
//! there and synced: one sync, after which it counts, since [`Session::read`] takes `NAME.next` when that is whole and of a later
//! generation. A torn one is told by its zeros, which JSON cannot hold. Then it is written to `NAME` too, by way of `NAME.tmp`, and
//! only when that is durable `NAME.next` goes: not renamed, since a rename that is cut off may cost the old name before the
//! new one is there. What is read from `NAME.next` takes the same way, because nobody knows whether the sync of before came to
//! its end.
//!
//! Runs on the thread that needs a token, and in `auditship oauth2 login`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::thread::Timespec;

use super::Client;
use super::answer::Granted;
use crate::credentials::CredentialError;
use crate::credentials::cache::Expiring;
use crate::secret::Exposed;
use crate::spool::storage::fs::FsStorage;
use crate::spool::storage::{LockGuard, Storage, StorageFile, parent, read_small, write_atomic};
use crate::time::Timestamp;

/// Room for what a refresh brings; tokens that are larger are written all the same, if the disk has room then.
const ROOM: u64 = 64 * 1024;

/// No token file is larger.
const LARGEST: usize = 1024 * 1024;

/// What this version writes, and the latest that it reads.
const VERSION: u32 = 1;

/// Between two looks at a lock: its end is no event that could be waited for.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// Waits a little for another process.
pub(super) fn pause() {
    // An early end by a signal only makes the next look come sooner.
    let _ = rustix::thread::nanosleep(&PAUSE);
}

/// A login, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// One more at each writing.
    generation: u64,
    token_url: String,
    client_id: String,
    refresh: Exposed,
    access: Expiring<Exposed>,
}

/// The JSON.
#[derive(serde::Deserialize, serde::Serialize)]
struct Written {
    version: u32,
    generation: u64,
    token_url: String,
    client_id: String,
    refresh_token: String,
    access_token: Option<String>,
    expires_at: Option<Timestamp>,
}

impl Tokens {
    /// The first of a login at `client`'s server; `None` when there is no refresh token.
    pub(super) fn first(client: &Client, granted: Granted, generation: u64) -> Option<Self> {
        Some(Self {
            generation,
            token_url: client.token_url.to_string(),
            client_id: client.id.clone(),
            refresh: granted.refresh?,
            access: granted.access,
        })
    }

    /// These, after a refresh.
    pub(super) fn renewed(&self, granted: Granted) -> Self {
        Self {
            generation: self.generation + 1,
            refresh: granted.refresh.unwrap_or_else(|| self.refresh.clone()),
            access: granted.access,
            ..self.clone()
        }
    }

    /// What the next access token is asked for with.
    pub fn refresh_token(&self) -> &Exposed {
        &self.refresh
    }

    /// The last access token; an empty one without an end when there is none.
    pub fn access(&self) -> Expiring<Exposed> {
        self.access.clone()
    }

    /// That they are of the configured client.
    pub(super) fn check_owner(&self, client: &Client, file: &TokenFile) -> Result<(), CredentialError> {
        if self.client_id == client.id && self.token_url == client.token_url.to_string() {
            return Ok(());
        }
        Err(CredentialError::Refused {
            source: file.to_string(),
            reason: format!(
                "it holds a login of client {} at {}, not of the configured one: run `auditship oauth2 login`, or correct \
                 `oauth_token_file`",
                self.client_id, self.token_url
            ),
        })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let access = self.access.value.value();
        let written = Written {
            version: VERSION,
            generation: self.generation,
            token_url: self.token_url.clone(),
            client_id: self.client_id.clone(),
            refresh_token: self.refresh.value().to_owned(),
            access_token: (!access.is_empty()).then(|| access.to_owned()),
            expires_at: self.access.until,
        };
        // Texts and numbers: there is always a JSON of them.
        let mut bytes = serde_json::to_vec_pretty(&written).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(bytes)
            .map_err(|_| String::from("it is no token file: run `auditship oauth2 login`"))?;
        if written.version > VERSION {
            return Err(format!(
                "it is of version {}, this program knows {VERSION}: use the newer program, or log in again",
                written.version
            ));
        }
        Ok(Self {
            generation: written.generation,
            token_url: written.token_url,
            client_id: written.client_id,
            refresh: Exposed::new(written.refresh_token),
            access: Expiring {
                value: Exposed::new(written.access_token.unwrap_or_default()),
                until: written.expires_at,
            },
        })
    }
}

type Open = dyn Fn() -> io::Result<Arc<dyn Storage>> + Send + Sync;

/// Where a login is kept.
pub struct TokenFile {
    place: Place,
    open: Box<Open>,
}

/// How the file is called.
#[derive(Clone, Debug)]
struct Place {
    path: PathBuf,
    /// In its folder.
    name: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.path.display(), f)
    }
}

impl fmt::Display for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.place, f)
    }
}

impl fmt::Debug for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenFile").field(&self.place.path).finish()
    }
}

impl TokenFile {
    /// The file at `path`, absolute. Opens nothing yet; its folder is opened at each use, since it may come later.
    pub fn at(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        Self {
            place: Place {
                path: path.to_owned(),
                name: path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
            },
            open: Box::new(move || Ok(Arc::new(FsStorage::open(&folder)?))),
        }
    }

    /// The file `name` of `storage`.
    #[cfg(test)]
    pub(super) fn on(storage: Arc<dyn Storage>, name: &str) -> Self {
        Self {
            place: Place {
                path: PathBuf::from(name),
                name: name.to_owned(),
            },
            open: Box::new(move || Ok(storage.clone())),
        }
    }

    /// The right to read and replace it; `None` while another has it, in this process or any other.
    ///
    /// # Errors
    /// [`CredentialError`]: its folder cannot be used.
    pub fn try_lock(&self) -> Result<Option<Session>, CredentialError> {
        let storage = (self.open)().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.place.missing(),
            _ => self.place.refused("its folder cannot be opened", &error),
        })?;
        let guard = storage
            .try_lock(&format!("{}.lock", self.place.name))
            .map_err(|error| self.place.refused("it cannot be locked", &error))?;
        Ok(guard.map(|guard| Session {
            storage,
            place: self.place.clone(),
            _guard: guard,
        }))
    }
}

impl Place {
    fn next(&self) -> String {
        format!("{}.next", self.name)
    }

    fn missing(&self) -> CredentialError {
        CredentialError::Missing {
            advice: format!("{self} is not there: run `auditship oauth2 login`, which makes it"),
        }
    }

    fn refused(&self, what: &str, error: &io::Error) -> CredentialError {
        CredentialError::Refused {
            source: self.to_string(),
            reason: format!(
                "{what} ({}): the folder must be this user's, writable, and have room",
                error.kind()
            ),
        }
    }
}

/// The right to read and replace a token file, as long as it lives.
pub struct Session {
    storage: Arc<dyn Storage>,
    place: Place,
    _guard: Box<dyn LockGuard>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.place.path).finish()
    }
}

/// Room for what a refresh brings.
pub(super) struct Room<'a> {
    session: &'a Session,
    file: Arc<dyn StorageFile>,
}

impl Session {
    /// What is kept.
    ///
    /// # Errors
    /// [`CredentialError`]: there is nothing, or nothing that could be used.
    pub fn read(&self) -> Result<Tokens, CredentialError> {
        let kept = self
            .bytes(&self.place.name)?
            .ok_or_else(|| self.place.missing())?;
        let kept = Tokens::from_bytes(&kept).map_err(|problem| CredentialError::Refused {
            source: self.place.to_string(),
            reason: problem,
        })?;
        let next = self.bytes(&self.place.next())?;
        let next = next.and_then(|bytes| Tokens::from_bytes(&bytes).ok());
        match next.filter(|next| next.generation > kept.generation) {
            Some(next) => {
                self.adopt(&next)?;
                Ok(next)
            }
            None => Ok(kept),
        }
    }

    /// The generation for a login that takes the place of what is kept, whatever that is. What a refresh left in
    /// `NAME.next` is where it stays after that: the login may fail yet.
    pub(super) fn next_generation(&self) -> Result<u64, CredentialError> {
        let parsed = |name: &str| -> Result<Option<Tokens>, CredentialError> {
            Ok(self
                .bytes(name)?
                .and_then(|bytes| Tokens::from_bytes(&bytes).ok()))
        };
        let kept = parsed(&self.place.name)?.map_or(0, |tokens| tokens.generation);
        let next = parsed(&self.place.next())?;
        match next.filter(|next| next.generation > kept) {
            Some(next) => {
                self.adopt(&next)?;
                Ok(next.generation + 1)
            }
            None => Ok(kept + 1),
        }
    }

    /// Takes the room for what a refresh will bring. What is kept must have been read before.
    pub(super) fn reserve(&self) -> Result<Room<'_>, CredentialError> {
        let reserve = || {
            self.remove_next()?;
            let file = self.storage.create_new(&self.place.next())?;
            file.allocate(ROOM)?;
            file.sync_data()?;
            self.storage.sync_dir(parent(&self.place.next()))?;
            Ok(file)
        };
        match reserve() {
            Ok(file) => Ok(Room { session: self, file }),
            Err(error) => Err(self.place.refused("there is no room for a new token", &error)),
        }
    }

    /// Writes `next` to where it stays; what is in `NAME.next` goes when it is there.
    fn adopt(&self, next: &Tokens) -> Result<(), CredentialError> {
        write_atomic(&*self.storage, &self.place.name, &next.to_bytes())
            .and_then(|()| self.remove_next())
            .map_err(|error| self.place.refused("it cannot be written", &error))
    }

    fn remove_next(&self) -> io::Result<()> {
        match self.storage.remove(&self.place.next()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, CredentialError> {
        read_small(&*self.storage, name, LARGEST).map_err(|error| CredentialError::Refused {
            source: self.place.to_string(),
            reason: format!("it cannot be read ({}): it must be this user's", error.kind()),
        })
    }
}

impl Room<'_> {
    /// Makes `tokens` what is kept. They are durable when this returns well; when it does not, they may be.
    pub(super) fn write(self, tokens: &Tokens) -> Result<(), CredentialError> {
        let session = self.session;
        let bytes = tokens.to_bytes();
        let write = || {
            self.file.write_at(0, &bytes)?;
            self.file.set_len(bytes.len() as u64)?;
            self.file.sync_data()
        };
        write().map_err(|error| session.place.refused("the new token cannot be kept", &error))?;
        session.adopt(tokens)
    }

    /// Nothing was brought.
    pub(super) fn give_back(self) {
        // What stays is zeros, and the next refresh takes its place.
        let _ = self.session.remove_next();
    }
}
