//! Objects in a directory: executes `PUT` with `If-None-Match: *` so that an object is there whole and durably, or not
//! at all.
//!
//! # In scope
//! `PUT /NAME` (creates only) and `OPTIONS` (proves that it could). Answers: 201 created, 204 could be created, 412 the
//! name is taken, 403 not permitted, 404 the directory's parent is missing, 507 full, 503 any other failure that left
//! nothing, 500 a failure after the name was given. 400 and 405: a request that is none of these.
//!
//! # Invariants
//! 1. 201 and 412 are said only when the object's bytes *and* its name, with every folder above it, are on disk. Order:
//!    write a temporary file, sync it, make and sync the folders, link, sync the folder, answer.
//! 2. An object's name never leads to a part of its bytes: the link comes after the bytes are synced.
//! 3. What a crash leaves is a temporary file in `.tmp/`, never one among the objects. Its name is the same for each
//!    attempt at one object, so an attempt replaces what the one before left; and whoever opens the directory and can
//!    lock `.tmp/lock` removes the rest. If two processes use one directory, that may cost the other an attempt (503,
//!    tried again), never an object.
//!
//! Runs on the calling (sending) thread.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use ::http::{HeaderMap, Method, Request, Response, StatusCode, header};

use super::{SendError, Transport};
use crate::spool::storage::{self, EntryKind, LockGuard, Storage};

const TEMPORARY: &str = ".tmp";
const LOCK: &str = ".tmp/lock";

type Open = dyn Fn() -> io::Result<Arc<dyn Storage>> + Send + Sync;

/// Executes requests on a directory.
pub struct FileTransport {
    open: Box<Open>,
    directory: Mutex<Option<Directory>>,
}

impl fmt::Debug for FileTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTransport").finish_non_exhaustive()
    }
}

impl FileTransport {
    /// A transport on the directory that `open` opens, at the first request and again after it failed to.
    pub fn new(open: impl Fn() -> io::Result<Arc<dyn Storage>> + Send + Sync + 'static) -> Self {
        Self {
            open: Box::new(open),
            directory: Mutex::new(None),
        }
    }
}

impl Transport for FileTransport {
    /// A disk has no use for further headers.
    fn send_with(&self, request: &Request<Vec<u8>>, _: &HeaderMap) -> Result<Response<Vec<u8>>, SendError> {
        let mut directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match directory.as_mut() {
            Some(directory) => directory.execute(request),
            None => match Directory::open(&*self.open) {
                Ok(opened) => directory.insert(opened).execute(request),
                Err(failure) => Err(failure),
            },
        };
        Ok(match done {
            Ok(status) => answer(status, ""),
            Err(Failure { status, words }) => answer(status, &words),
        })
    }
}

fn answer(status: StatusCode, words: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(words.as_bytes().to_vec());
    *response.status_mut() = status;
    response
}

/// Why a request was not executed.
struct Failure {
    status: StatusCode,
    words: String,
}

impl Failure {
    fn new(status: StatusCode, words: &str) -> Self {
        Self {
            status,
            words: words.to_owned(),
        }
    }

    /// A failure of `step` that left no object.
    fn at(step: &str, error: &io::Error) -> Self {
        let status = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                StatusCode::INSUFFICIENT_STORAGE
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StatusCode::FORBIDDEN,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self {
            status,
            words: format!("{step}: {error}"),
        }
    }

    /// A failure of `step` after which the object may be there.
    fn after_link(step: &str, error: &io::Error) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            words: format!("{step}: {error}"),
        }
    }
}

struct Directory {
    storage: Arc<dyn Storage>,
    /// The folder that took the last object: it and those above it are durable.
    durable: Option<String>,
    /// Held for as long as the directory is in use; absent when another process holds it.
    _lock: Option<Box<dyn LockGuard>>,
}

impl Directory {
    fn open(open: &Open) -> Result<Self, Failure> {
        let storage = open().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::new(StatusCode::NOT_FOUND, &error.to_string()),
            _ => Failure::at("opening the directory", &error),
        })?;
        let folder = |error: io::Error| Failure::at("making the folder .tmp", &error);
        storage.create_dir(TEMPORARY).map_err(folder)?;
        let lock = storage
            .try_lock(LOCK)
            .map_err(|error| Failure::at("locking .tmp/lock", &error))?;
        if lock.is_some() {
            sweep(&*storage).map_err(|error| Failure::at("clearing the folder .tmp", &error))?;
        }
        Ok(Self {
            storage,
            durable: None,
            _lock: lock,
        })
    }

    fn execute(&mut self, request: &Request<Vec<u8>>) -> Result<StatusCode, Failure> {
        if request.method() == Method::OPTIONS {
            return self.probe();
        }
        if request.method() != Method::PUT {
            return Err(Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "only PUT and OPTIONS are executed",
            ));
        }
        if request
            .headers()
            .get(header::IF_NONE_MATCH)
            .map(|value| value.as_bytes())
            != Some(b"*")
        {
            let words = "a PUT must have `If-None-Match: *`: objects are created, never replaced";
            return Err(Failure::new(StatusCode::BAD_REQUEST, words));
        }
        let name = request.uri().path().strip_prefix('/').unwrap_or_default();
        if !is_object_name(name) || request.uri().query().is_some() {
            let words = "the path is no object's name: parts of letters, digits and `._-=`, none of which begins with a dot";
            return Err(Failure::new(StatusCode::BAD_REQUEST, words));
        }
        self.put(name, request.body())
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<StatusCode, Failure> {
        let temporary = temporary_name(name);
        let put = self.put_by_way_of(&temporary, name, bytes);
        // Of no use any more, whatever happened; what stays is swept at the next opening.
        let _ = self.storage.remove(&temporary);
        put
    }

    fn put_by_way_of(&mut self, temporary: &str, name: &str, bytes: &[u8]) -> Result<StatusCode, Failure> {
        let failed = |step: &'static str| move |error: io::Error| Failure::at(step, &error);
        self.write(temporary, bytes).map_err(failed("writing"))?;
        let folder = storage::parent(name);
        if self.durable.as_deref() != Some(folder) {
            if !folder.is_empty() {
                self.storage
                    .create_dir(folder)
                    .map_err(failed("making folders"))?;
            }
            self.sync_down_to(folder).map_err(failed("syncing folders"))?;
            self.durable = Some(folder.to_owned());
        }
        let status = match self.storage.link_new(temporary, name) {
            Ok(()) => StatusCode::CREATED,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => StatusCode::PRECONDITION_FAILED,
            Err(error) => {
                // Somebody may have removed the folder.
                self.durable = None;
                return Err(Failure::at("giving the object its name", &error));
            }
        };
        // For 412 too: whoever gave the name may have died before this.
        let synced = self.storage.sync_dir(folder);
        match (synced, status) {
            (Ok(()), StatusCode::CREATED) => Ok(StatusCode::CREATED),
            (Ok(()), _) => Err(Failure::new(status, name)),
            (Err(error), _) => Err(Failure::after_link("syncing the folder", &error)),
        }
    }

    /// Replaces what an earlier attempt left under the same name.
    fn write(&self, temporary: &str, bytes: &[u8]) -> io::Result<()> {
        let file = match self.storage.create_new(temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.storage.remove(temporary)?;
                self.storage.create_new(temporary)
            }
            created => created,
        }?;
        file.write_at(0, bytes)?;
        file.sync_data()
    }

    /// Makes every folder from the root to `folder` durable, each through the one above it.
    fn sync_down_to(&self, folder: &str) -> io::Result<()> {
        self.storage.sync_dir("")?;
        for (at, _) in folder.match_indices('/') {
            self.storage.sync_dir(&folder[..at])?;
        }
        Ok(())
    }

    fn probe(&self) -> Result<StatusCode, Failure> {
        let temporary = temporary_name("");
        let probed = self.write(
            &temporary,
            b"auditship checks that this directory can be written\n",
        );
        let removed = self.storage.remove(&temporary);
        probed
            .and(removed)
            .map_err(|error| Failure::at("writing", &error))?;
        Ok(StatusCode::NO_CONTENT)
    }
}

/// Removes what crashed attempts left.
fn sweep(storage: &dyn Storage) -> io::Result<()> {
    for entry in storage.list(TEMPORARY)? {
        let path = format!("{TEMPORARY}/{}", entry.name);
        if entry.kind == EntryKind::File && path != LOCK {
            storage.remove(&path)?;
        }
    }
    Ok(())
}

/// The same for every attempt at one object. A digest, so that a long name is not too long with something added.
fn temporary_name(name: &str) -> String {
    format!("{TEMPORARY}/{}", blake3::hash(name.as_bytes()).to_hex())
}

fn is_object_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-=".contains(&byte);
    name.split('/')
        .all(|part| !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed))
}

#[cfg(test)]
mod tests;
