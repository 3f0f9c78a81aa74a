//! The plugin as a host sees it: opened, asked for its definition, initialised for each stanza, flushed into, ended.

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::Mutex;

use super::coroutine::{Coroutine, Flush};
use super::fenced::Fenced;
use super::{FlushCode, Flushed};

/// Which host is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum HostVersion {
    /// One member in the function table, five in the definition, no PreRegister.
    #[serde(rename = "1.8")]
    V1_8,
    /// Seven members in the function table, six in the definition, no PreRegister.
    #[serde(rename = "2.0")]
    V2_0,
    /// Nine members in the function table, seven in the definition, PreRegister.
    #[serde(rename = "5.1")]
    V5_1,
}

type GetProperty = unsafe extern "C" fn(*const c_char, *mut c_void) -> *const c_char;

/// What Register fills; the first five members are those of 1.8.
#[repr(C)]
#[derive(Clone, Copy)]
struct Definition<const EXTRA: usize> {
    kind: c_int,
    proxy: c_int,
    flags: c_int,
    name: *mut c_char,
    description: *mut c_char,
    /// Event type and configuration map on newer hosts.
    extra: [usize; EXTRA],
}

/// The host's functions; the first is that of 1.8.
#[repr(C)]
#[derive(Clone, Copy)]
struct Api<const EXTRA: usize> {
    output_get_property: GetProperty,
    extra: [usize; EXTRA],
}

/// Which member of [`Api::extra`] is `log_print`.
const LOG_PRINT: usize = 3;

#[repr(C)]
#[derive(Clone, Copy)]
struct Context {
    remote_context: *mut c_void,
    proxy: *mut c_void,
}

/// What Init gets, up to the host's own callbacks.
#[repr(C)]
#[derive(Clone, Copy)]
struct OutputPlugin {
    name: *mut c_char,
    api: *mut c_void,
    output_instance: *mut c_void,
    context: *mut Context,
}

/// Why a library is no plugin.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// `dlopen` says.
    Open(String),
    /// A symbol is missing that the host cannot do without.
    Symbol(&'static CStr),
    /// A structure of the host could not be made.
    Io(io::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(why) => f.write_str(why),
            Self::Symbol(name) => write!(f, "no symbol {}", name.to_string_lossy()),
            Self::Io(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for LoadError {}

/// An opened library.
#[derive(Debug)]
pub struct Library {
    handle: *mut c_void,
}

impl Library {
    /// Opens `path` as the host does: lazily, symbols private.
    ///
    /// # Errors
    /// [`LoadError::Open`].
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let name =
            CString::new(path.as_os_str().as_bytes()).map_err(|why| LoadError::Open(why.to_string()))?;
        // SAFETY: runs the library's initialisers, which is what this program is for.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY) };
        if handle.is_null() {
            // SAFETY: `dlerror` gives a string of this thread, or null.
            let why = unsafe { libc::dlerror() };
            let why = if why.is_null() {
                "dlopen failed".into()
            } else {
                // SAFETY: NUL-terminated, valid until the next call of the dl family on this thread.
                unsafe { CStr::from_ptr(why) }.to_string_lossy().into_owned()
            };
            return Err(LoadError::Open(why));
        }
        Ok(Self { handle })
    }

    fn symbol(&self, name: &'static CStr) -> Option<ptr::NonNull<c_void>> {
        // SAFETY: the handle is open.
        ptr::NonNull::new(unsafe { libc::dlsym(self.handle, name.as_ptr()) })
    }

    fn needed(&self, name: &'static CStr) -> Result<ptr::NonNull<c_void>, LoadError> {
        self.symbol(name).ok_or(LoadError::Symbol(name))
    }

    /// Asks the plugin to register, for a first start or a hot reload.
    ///
    /// # Errors
    /// [`LoadError`]; what Register returns is in [`Plugin::register_code`].
    pub fn register(self, version: HostVersion, hot_reloading: bool) -> Result<Plugin, LoadError> {
        // SAFETY: the symbols have these types by the plugin interface.
        let (register, init, flush, exit, unregister, pre_register) = unsafe {
            (
                std::mem::transmute::<ptr::NonNull<c_void>, unsafe extern "C" fn(*mut c_void) -> c_int>(
                    self.needed(c"FLBPluginRegister")?,
                ),
                std::mem::transmute::<ptr::NonNull<c_void>, unsafe extern "C" fn(*mut OutputPlugin) -> c_int>(
                    self.needed(c"FLBPluginInit")?,
                ),
                std::mem::transmute::<ptr::NonNull<c_void>, Flush>(self.needed(c"FLBPluginFlushCtx")?),
                std::mem::transmute::<ptr::NonNull<c_void>, unsafe extern "C" fn(*mut c_void) -> c_int>(
                    self.needed(c"FLBPluginExitCtx")?,
                ),
                self.symbol(c"FLBPluginUnregister").map(|symbol| {
                    std::mem::transmute::<ptr::NonNull<c_void>, unsafe extern "C" fn(*mut c_void)>(symbol)
                }),
                self.symbol(c"FLBPluginPreRegister").map(|symbol| {
                    std::mem::transmute::<ptr::NonNull<c_void>, unsafe extern "C" fn(c_int) -> c_int>(symbol)
                }),
            )
        };
        if let (HostVersion::V5_1, Some(pre_register)) = (version, pre_register) {
            // SAFETY: the plugin's own function.
            unsafe { pre_register(c_int::from(hot_reloading)) };
        }
        let (definition, register_code) = match version {
            HostVersion::V1_8 => register_as::<0>(register),
            HostVersion::V2_0 => register_as::<1>(register),
            HostVersion::V5_1 => register_as::<2>(register),
        }
        .map_err(LoadError::Io)?;
        let table = match version {
            HostVersion::V1_8 => Table::V1_8(table::<0>()),
            HostVersion::V2_0 => Table::V2_0(table::<6>()),
            HostVersion::V5_1 => Table::V5_1(table::<8>()),
        };
        Ok(Plugin {
            library: self,
            definition,
            register_code,
            table: table.checked().map_err(LoadError::Io)?,
            init,
            flush,
            exit,
            unregister,
        })
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once, as the host does; the library is linked to stay mapped.
        unsafe { libc::dlclose(self.handle) };
    }
}

/// The definition as it was filled, whatever its shape.
struct Filled {
    kind: c_int,
    proxy: c_int,
    flags: c_int,
    name: String,
    description: String,
    untouched: bool,
    /// For Unregister. The strings in it stay: what the host frees differs between versions.
    storage: Box<dyn std::any::Any>,
    address: *mut c_void,
}

fn register_as<const EXTRA: usize>(
    register: unsafe extern "C" fn(*mut c_void) -> c_int,
) -> io::Result<(Filled, c_int)> {
    let fenced = Fenced::new(Definition::<EXTRA> {
        kind: 0,
        proxy: 0,
        flags: 0,
        name: ptr::null_mut(),
        description: ptr::null_mut(),
        extra: [0; EXTRA],
    })?;
    // SAFETY: a zeroed definition, as the host gives.
    let code = unsafe { register(fenced.as_ptr().cast()) };
    let filled = fenced.read();
    let text = |at: *mut c_char| {
        if at.is_null() {
            return String::new();
        }
        // SAFETY: the plugin's strings are NUL-terminated.
        unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned()
    };
    let filled = Filled {
        kind: filled.kind,
        proxy: filled.proxy,
        flags: filled.flags,
        name: text(filled.name),
        description: text(filled.description),
        untouched: filled.extra.iter().all(|&word| word == 0),
        address: fenced.as_ptr().cast(),
        storage: Box::new(fenced),
    };
    Ok((filled, code))
}

enum Table {
    V1_8(io::Result<Fenced<Api<0>>>),
    V2_0(io::Result<Fenced<Api<6>>>),
    V5_1(io::Result<Fenced<Api<8>>>),
}

/// A function table's storage and its address.
struct Functions {
    address: *mut c_void,
    _storage: Box<dyn std::any::Any>,
}

impl Table {
    fn checked(self) -> io::Result<Functions> {
        fn functions<const EXTRA: usize>(fenced: Fenced<Api<EXTRA>>) -> Functions {
            Functions {
                address: fenced.as_ptr().cast(),
                _storage: Box::new(fenced),
            }
        }
        match self {
            Self::V1_8(fenced) => fenced.map(functions),
            Self::V2_0(fenced) => fenced.map(functions),
            Self::V5_1(fenced) => fenced.map(functions),
        }
    }
}

fn table<const EXTRA: usize>() -> io::Result<Fenced<Api<EXTRA>>> {
    // An address that is no code: calling what a plugin has no business with ends the process.
    let mut extra = [1; EXTRA];
    if let Some(log) = extra.get_mut(LOG_PRINT) {
        *log = (log_print as *const ()).addr();
    }
    Fenced::new(Api {
        output_get_property: get_property,
        extra,
    })
}

/// A registered plugin.
pub struct Plugin {
    library: Library,
    definition: Filled,
    register_code: c_int,
    table: Functions,
    init: unsafe extern "C" fn(*mut OutputPlugin) -> c_int,
    flush: Flush,
    exit: unsafe extern "C" fn(*mut c_void) -> c_int,
    unregister: Option<unsafe extern "C" fn(*mut c_void)>,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// What Register returned.
    pub fn register_code(&self) -> i32 {
        self.register_code
    }

    /// The plugin's name, as a stanza has it.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// The plugin's description.
    pub fn description(&self) -> &str {
        &self.definition.description
    }

    /// Whether the definition is that of an output proxy plugin, and its newer members were left alone.
    pub fn is_output(&self) -> bool {
        let definition = &self.definition;
        (definition.kind, definition.proxy, definition.flags) == (2, 11, 0) && definition.untouched
    }

    /// Initialises an instance with the properties of its stanza. Gives what Init returned beside it: the instance is
    /// usable if that is above 0.
    ///
    /// # Errors
    /// No memory for the host's structures.
    pub fn init(&self, properties: &[(String, String)]) -> io::Result<(Instance, i32)> {
        let stanza = Box::new(Stanza {
            properties: properties
                .iter()
                .map(|(name, value)| (name.clone(), CString::new(value.as_str()).unwrap_or_default()))
                .collect(),
        });
        let context = Fenced::new(Context {
            remote_context: ptr::null_mut(),
            proxy: ptr::null_mut(),
        })?;
        let name = CString::new(self.name()).unwrap_or_default();
        let plugin = Fenced::new(OutputPlugin {
            name: name.as_ptr().cast_mut(),
            api: self.table.address,
            output_instance: ptr::from_ref(&*stanza).cast_mut().cast(),
            context: context.as_ptr(),
        })?;
        // SAFETY: the host's structure, whose parts live through the call.
        let code = unsafe { (self.init)(plugin.as_ptr()) };
        let instance = Instance {
            remote_context: context.read().remote_context,
            flush: self.flush,
            exit: self.exit,
            _stanza: stanza,
        };
        Ok((instance, code))
    }

    /// Ends every instance, as a host does that does not know how to end one; gives what Exit returned, 0 without it.
    pub fn exit_all(&self) -> i32 {
        let Some(exit) = self.library.symbol(c"FLBPluginExit") else {
            return 0;
        };
        // SAFETY: the symbol has this type by the plugin interface.
        let exit =
            unsafe { std::mem::transmute::<ptr::NonNull<c_void>, unsafe extern "C" fn() -> c_int>(exit) };
        // SAFETY: the plugin's own function.
        unsafe { exit() }
    }

    /// Unregisters and closes the library, as the host does when it is done with this load.
    pub fn unload(self) {
        let Self {
            library,
            definition,
            unregister,
            ..
        } = self;
        if let Some(unregister) = unregister {
            // SAFETY: the definition that Register got.
            unsafe { unregister(definition.address) };
        }
        drop(definition.storage);
        drop(library);
    }
}

/// One stanza's instance, after Init.
pub struct Instance {
    remote_context: *mut c_void,
    flush: Flush,
    exit: unsafe extern "C" fn(*mut c_void) -> c_int,
    _stanza: Box<Stanza>,
}

// SAFETY: the host calls FlushCtx with one context from many threads; that is what is played here. The stanza is read
// only during Init.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").finish_non_exhaustive()
    }
}

impl Instance {
    /// Flushes a chunk on `coroutine`'s stack.
    pub fn flush(&self, coroutine: &mut Coroutine, chunk: &[u8], tag: &OsStr) -> (FlushCode, Flushed) {
        let tag = CString::new(tag.as_bytes()).unwrap_or_default();
        // SAFETY: the context that Init set (null if it failed), a chunk and a tag that live through the call.
        let flushed = unsafe { coroutine.call(self.flush, self.remote_context, chunk, tag.as_ptr()) };
        (FlushCode::of(flushed.code), flushed)
    }

    /// Flushes with null for context, chunk or tag, which no host does.
    pub fn flush_nulls(&self, coroutine: &mut Coroutine) -> [FlushCode; 2] {
        // SAFETY: the plugin says that it takes null for each.
        unsafe {
            let without_context = coroutine.call(self.flush, ptr::null_mut(), &[1], c"t".as_ptr());
            let without_tag = coroutine.call(self.flush, self.remote_context, &[], ptr::null());
            [
                FlushCode::of(without_context.code),
                FlushCode::of(without_tag.code),
            ]
        }
    }

    /// Ends the instance; gives what ExitCtx returned.
    pub fn exit(&self) -> i32 {
        // SAFETY: the context that Init set.
        unsafe { (self.exit)(self.remote_context) }
    }
}

/// What the host knows of a stanza.
struct Stanza {
    properties: Vec<(String, CString)>,
}

/// The host's look-up: names in any case, null for what is absent. (The host expands `${NAME}`; that is not played.)
unsafe extern "C" fn get_property(key: *const c_char, output_instance: *mut c_void) -> *const c_char {
    // SAFETY: the plugin hands back what Init gave it, with a NUL-terminated key.
    let (key, stanza) = unsafe { (CStr::from_ptr(key), &*output_instance.cast::<Stanza>()) };
    stanza
        .properties
        .iter()
        .find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(key.to_bytes()))
        .map_or(ptr::null(), |(_, value)| value.as_ptr())
}

/// What was written to the host's log.
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Takes what was written to the host's log since the last call.
pub fn take_log() -> Vec<String> {
    LOG.lock()
        .map(|mut log| std::mem::take(&mut *log))
        .unwrap_or_default()
}

/// The host's `log_print`, for a format with one string. In C it takes any number of arguments; on the platforms where
/// this runs (x86-64 and aarch64 Linux) pointers go in registers either way.
unsafe extern "C" fn log_print(
    level: c_int,
    _file: *const c_char,
    _line: c_int,
    format: *const c_char,
    text: *const c_char,
) {
    // SAFETY: the plugin's format has one %s, and these are NUL-terminated.
    let (format, text) = unsafe { (CStr::from_ptr(format), CStr::from_ptr(text)) };
    let line = format.to_string_lossy().replace("%s", &text.to_string_lossy());
    if let Ok(mut log) = LOG.lock() {
        log.push(format!("[{level}] {line}"));
    }
}
