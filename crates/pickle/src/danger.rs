//! Classes and functions by which a pickle could run code.

/// Whether calling `module.name` lets a pickle run code, start programs, or touch files or the
/// network. Nothing is called here in any case; but a file that asks for it is not a weight
/// file, and people should be warned before they open it in Python.
pub fn runs_code(module: &str, name: &str) -> bool {
    let top = module.split('.').next().unwrap_or(module);
    match top {
        "builtins" | "__builtin__" => HARMFUL_BUILTINS.contains(&first_part(name)),
        "torch" => {
            HARMFUL_TORCH.contains(&module)
                || (module == "torch" && matches!(name, "load" | "save" | "compile"))
                || (module == "torch.serialization" && matches!(name, "load" | "save"))
        }
        "numpy" => {
            module.starts_with("numpy.testing")
                || matches!(name, "load" | "save" | "fromfile" | "memmap" | "loadtxt")
        }
        "io" => matches!(first_part(name), "open" | "open_code" | "FileIO"),
        "types" => name.ends_with("Type"),
        _ => HARMFUL_MODULES.contains(&top),
    }
}

/// `STACK_GLOBAL` takes dotted names: `getattr` hides in `getattr.__call__`.
fn first_part(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

const HARMFUL_BUILTINS: &[&str] = &[
    "__build_class__",
    "__import__",
    "apply",
    "breakpoint",
    "compile",
    "delattr",
    "eval",
    "exec",
    "execfile",
    "exit",
    "file",
    "getattr",
    "globals",
    "help",
    "input",
    "locals",
    "memoryview",
    "open",
    "quit",
    "raw_input",
    "reload",
    "setattr",
    "vars",
];

const HARMFUL_TORCH: &[&str] = &[
    "torch._dynamo",
    "torch._inductor",
    "torch.hub",
    "torch.jit",
    "torch.package",
    "torch.utils.cpp_extension",
    "torch.utils.model_zoo",
    "torch.utils.bottleneck.__main__",
    "torch.utils._config_module",
    "torch.utils.collect_env",
    "torch._utils_internal",
];

const HARMFUL_MODULES: &[&str] = &[
    "_io",
    "_pickle",
    "_posixsubprocess",
    "_socket",
    "_thread",
    "aiohttp",
    "asyncio",
    "atexit",
    "bdb",
    "cProfile",
    "cffi",
    "cloudpickle",
    "code",
    "codeop",
    "commands",
    "ctypes",
    "dill",
    "distutils",
    "doctest",
    "ensurepip",
    "ftplib",
    "httplib",
    "idlelib",
    "imaplib",
    "imp",
    "importlib",
    "joblib",
    "lib2to3",
    "linecache",
    "marshal",
    "multiprocessing",
    "nt",
    "ntpath",
    "operator",
    "os",
    "pdb",
    "pickle",
    "pip",
    "pkg_resources",
    "pkgutil",
    "poplib",
    "popen2",
    "posix",
    "posixpath",
    "profile",
    "pty",
    "pydoc",
    "requests",
    "requests_toolbelt",
    "runpy",
    "setuptools",
    "shelve",
    "shutil",
    "signal",
    "site",
    "smtplib",
    "socket",
    "ssl",
    "subprocess",
    "sys",
    "tarfile",
    "telnetlib",
    "tempfile",
    "threading",
    "timeit",
    "turtle",
    "urllib",
    "urllib2",
    "venv",
    "webbrowser",
    "winreg",
    "xmlrpc",
    "zipfile",
    "zipimport",
];

#[cfg(test)]
mod tests {
    use super::runs_code;

    #[test]
    fn what_weights_are_made_of_is_harmless() {
        for (module, name) in [
            ("torch._utils", "_rebuild_tensor_v2"),
            ("torch", "FloatStorage"),
            ("torch.optim.sgd", "SGD"),
            ("collections", "OrderedDict"),
            ("__builtin__", "dict"),
            ("numpy.core.multiarray", "_reconstruct"),
            (
                "__torch__.multimodal.model.multimodal_transformer",
                "Multimodal",
            ),
        ] {
            assert!(!runs_code(module, name), "{module}.{name}");
        }
    }

    #[test]
    fn what_runs_programs_is_not() {
        for (module, name) in [
            ("os", "system"),
            ("posix", "system"),
            ("builtins", "eval"),
            ("builtins", "getattr.__call__"),
            ("subprocess", "Popen"),
            ("torch.hub", "load"),
            ("importlib._bootstrap", "_call_with_frames_removed"),
        ] {
            assert!(runs_code(module, name), "{module}.{name}");
        }
    }
}
