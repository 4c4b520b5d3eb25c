// Compiles a layer's sources with one Python version: compile.mjs FOLDER-OF-PYODIDE SCRIPT OUT
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [, , folder, script, out] = process.argv;
const { loadPyodide } = createRequire(import.meta.url)(resolve(folder, "pyodide.js"));
const python = await loadPyodide({ indexURL: resolve(folder) + "/", env: { PYTHONHASHSEED: "0", HOME: "/" } });
python.FS.mkdir("/out");
python.FS.mount(python.FS.filesystems.NODEFS, { root: resolve(out) }, "/out");
python.runPython("import sys; sys.argv = ['', '/out']");
python.runPython(readFileSync(script, "utf8"));
