// Compiles a layer's sources with one Python version: compile.mjs FOLDER-OF-PYODIDE SCRIPT OUT
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [, , folder, script, out] = process.argv;
const require = createRequire(import.meta.url);

// The oldest of them takes no environment, so its hash seed comes from here; sets would be written in another order every time.
const crypto = require("node:crypto");
crypto.randomBytes = (size) => Buffer.alloc(size, 7);
crypto.randomFillSync = (buffer) => buffer.fill(7);
globalThis.crypto.getRandomValues = (buffer) => buffer.fill(7);

const { loadPyodide } = require(resolve(folder, "pyodide.js"));
const python = await loadPyodide({ indexURL: resolve(folder) + "/", env: { PYTHONHASHSEED: "0", HOME: "/" } });
python.FS.mkdir("/out");
python.FS.mount(python.FS.filesystems.NODEFS, { root: resolve(out) }, "/out");
python.runPython("import sys; sys.argv = ['', '/out']");
python.runPython(readFileSync(script, "utf8"));
