/*
 * The binary interface between Fluent Bit and an output plugin that it loads as a "proxy" plugin, as far as auditship
 * uses it: what holds on every version from 1.8 to 5.1, on 64-bit Linux.
 *
 * `build.rs` turns this file into the module `fluent_bit_sys` (feature `bindgen`); without the feature the checked-in
 * plugin/fluent_bit_sys.rs is used, and tests/bindings.rs keeps the two equal. The declarations of the symbols which
 * the host looks up are in plugin/lib.rs, where they are defined.
 *
 * Members beyond those named here exist on newer hosts. They are not declared, so that no code can reach them where
 * they are missing.
 */
#ifndef AUDITSHIP_FLUENT_BIT_H
#define AUDITSHIP_FLUENT_BIT_H

/* Kind of plugin (plugin_definition.type). */
#define KIND_OUTPUT 2

/* Calling convention of the plugin (plugin_definition.proxy): the one that Go plugins use as well. */
#define PROXY_C 11

/* What FLBPluginFlushCtx answers. FLUSH_ERROR makes the host drop the chunk; any other value counts as it. */
#define FLUSH_ERROR 0
#define FLUSH_OK 1
#define FLUSH_RETRY 2

/* What FLBPluginRegister, FLBPluginPreRegister return when all is well. */
#define REGISTERED 0

/* What FLBPluginInit, FLBPluginExitCtx and FLBPluginExit return when all is well, and what Init returns when not. */
#define DONE 1
#define FAILED -1

/* Levels of plugin_log_api.log_print. */
#define LEVEL_ERROR 1
#define LEVEL_WARN 2
#define LEVEL_INFO 3

/*
 * Filled by FLBPluginRegister. The host allocates it zeroed and owns the two strings afterwards, which must come from
 * the C allocator. Newer hosts append an event type and a configuration map, whose zeros mean "logs" and "none".
 */
struct plugin_definition {
    int type;
    int proxy;
    int flags;
    char *name;
    char *description;
};

/* The host's functions, on every version: the value of a property of an output instance, or NULL. */
struct plugin_api {
    const char *(*output_get_property)(const char *key, void *output_instance);
};

/*
 * The same structure on hosts from 2.0 on. A host that has called FLBPluginPreRegister (2.1 and later) is one of them.
 */
struct plugin_log_api {
    const char *(*output_get_property)(const char *key, void *output_instance);
    const char *(*input_get_property)(const char *key, void *input_instance);
    void *(*output_get_metrics)(void *output_instance);
    void *(*input_get_metrics)(void *input_instance);
    void (*log_print)(int level, const char *file, int line, const char *format, ...);
};

/* Belongs to one output instance. `remote_context` is ours: set by Init, handed back to FlushCtx and ExitCtx. */
struct plugin_context {
    void *remote_context;
    void *proxy;
};

/* What FLBPluginInit gets. The host's own callback pointers follow. */
struct output_plugin {
    char *name;
    struct plugin_api *api;
    void *output_instance;
    struct plugin_context *context;
};

#endif
