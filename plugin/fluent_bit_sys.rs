// Generated from plugin/fluent_bit.h by `cargo build --features bindgen`. Not edited by hand.

pub const KIND_OUTPUT: i32 = 2;
pub const PROXY_C: i32 = 11;
pub const FLUSH_ERROR: i32 = 0;
pub const FLUSH_OK: i32 = 1;
pub const FLUSH_RETRY: i32 = 2;
pub const REGISTERED: i32 = 0;
pub const DONE: i32 = 1;
pub const FAILED: i32 = -1;
pub const LEVEL_ERROR: i32 = 1;
pub const LEVEL_WARN: i32 = 2;
pub const LEVEL_INFO: i32 = 3;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct plugin_definition {
    pub type_: ::core::ffi::c_int,
    pub proxy: ::core::ffi::c_int,
    pub flags: ::core::ffi::c_int,
    pub name: *mut ::core::ffi::c_char,
    pub description: *mut ::core::ffi::c_char,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of plugin_definition"][::core::mem::size_of::<plugin_definition>() - 32usize];
    [
        "Alignment of plugin_definition",
    ][::core::mem::align_of::<plugin_definition>() - 8usize];
    [
        "Offset of field: plugin_definition::type_",
    ][::core::mem::offset_of!(plugin_definition, type_) - 0usize];
    [
        "Offset of field: plugin_definition::proxy",
    ][::core::mem::offset_of!(plugin_definition, proxy) - 4usize];
    [
        "Offset of field: plugin_definition::flags",
    ][::core::mem::offset_of!(plugin_definition, flags) - 8usize];
    [
        "Offset of field: plugin_definition::name",
    ][::core::mem::offset_of!(plugin_definition, name) - 16usize];
    [
        "Offset of field: plugin_definition::description",
    ][::core::mem::offset_of!(plugin_definition, description) - 24usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct plugin_api {
    pub output_get_property: ::core::option::Option<
        unsafe extern "C" fn(
            key: *const ::core::ffi::c_char,
            output_instance: *mut ::core::ffi::c_void,
        ) -> *const ::core::ffi::c_char,
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of plugin_api"][::core::mem::size_of::<plugin_api>() - 8usize];
    ["Alignment of plugin_api"][::core::mem::align_of::<plugin_api>() - 8usize];
    [
        "Offset of field: plugin_api::output_get_property",
    ][::core::mem::offset_of!(plugin_api, output_get_property) - 0usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct plugin_log_api {
    pub output_get_property: ::core::option::Option<
        unsafe extern "C" fn(
            key: *const ::core::ffi::c_char,
            output_instance: *mut ::core::ffi::c_void,
        ) -> *const ::core::ffi::c_char,
    >,
    pub input_get_property: ::core::option::Option<
        unsafe extern "C" fn(
            key: *const ::core::ffi::c_char,
            input_instance: *mut ::core::ffi::c_void,
        ) -> *const ::core::ffi::c_char,
    >,
    pub output_get_metrics: ::core::option::Option<
        unsafe extern "C" fn(
            output_instance: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub input_get_metrics: ::core::option::Option<
        unsafe extern "C" fn(
            input_instance: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub log_print: ::core::option::Option<
        unsafe extern "C" fn(
            level: ::core::ffi::c_int,
            file: *const ::core::ffi::c_char,
            line: ::core::ffi::c_int,
            format: *const ::core::ffi::c_char,
            ...
        ),
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of plugin_log_api"][::core::mem::size_of::<plugin_log_api>() - 40usize];
    ["Alignment of plugin_log_api"][::core::mem::align_of::<plugin_log_api>() - 8usize];
    [
        "Offset of field: plugin_log_api::output_get_property",
    ][::core::mem::offset_of!(plugin_log_api, output_get_property) - 0usize];
    [
        "Offset of field: plugin_log_api::input_get_property",
    ][::core::mem::offset_of!(plugin_log_api, input_get_property) - 8usize];
    [
        "Offset of field: plugin_log_api::output_get_metrics",
    ][::core::mem::offset_of!(plugin_log_api, output_get_metrics) - 16usize];
    [
        "Offset of field: plugin_log_api::input_get_metrics",
    ][::core::mem::offset_of!(plugin_log_api, input_get_metrics) - 24usize];
    [
        "Offset of field: plugin_log_api::log_print",
    ][::core::mem::offset_of!(plugin_log_api, log_print) - 32usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct plugin_context {
    pub remote_context: *mut ::core::ffi::c_void,
    pub proxy: *mut ::core::ffi::c_void,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of plugin_context"][::core::mem::size_of::<plugin_context>() - 16usize];
    ["Alignment of plugin_context"][::core::mem::align_of::<plugin_context>() - 8usize];
    [
        "Offset of field: plugin_context::remote_context",
    ][::core::mem::offset_of!(plugin_context, remote_context) - 0usize];
    [
        "Offset of field: plugin_context::proxy",
    ][::core::mem::offset_of!(plugin_context, proxy) - 8usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct output_plugin {
    pub name: *mut ::core::ffi::c_char,
    pub api: *mut plugin_api,
    pub output_instance: *mut ::core::ffi::c_void,
    pub context: *mut plugin_context,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of output_plugin"][::core::mem::size_of::<output_plugin>() - 32usize];
    ["Alignment of output_plugin"][::core::mem::align_of::<output_plugin>() - 8usize];
    [
        "Offset of field: output_plugin::name",
    ][::core::mem::offset_of!(output_plugin, name) - 0usize];
    [
        "Offset of field: output_plugin::api",
    ][::core::mem::offset_of!(output_plugin, api) - 8usize];
    [
        "Offset of field: output_plugin::output_instance",
    ][::core::mem::offset_of!(output_plugin, output_instance) - 16usize];
    [
        "Offset of field: output_plugin::context",
    ][::core::mem::offset_of!(output_plugin, context) - 24usize];
};
