// Runs the tests of a wasm module: its exports whose names begin with `test_`.
import { readFile } from "node:fs/promises";

const module = await WebAssembly.compile(await readFile(process.argv[2]));
const tests = WebAssembly.Module.exports(module).map(({ name }) => name).filter((name) => name.startsWith("test_"));
let failed = tests.length === 0;
for (const name of tests) {
    let said = "";
    // Each test has an instance of its own: a trap leaves an instance as it was at that moment.
    const tell = (text, length) => {
        said += new TextDecoder().decode(new Uint8Array(instance.exports.memory.buffer, text, length));
    };
    const instance = await WebAssembly.instantiate(module, { host: { tell } });
    try {
        instance.exports[name]();
        console.log(`${name} ... ok`);
    } catch (trap) {
        failed = true;
        console.log(`${name} ... FAILED: ${said || trap}`);
    }
}
process.exit(failed ? 1 : 0);
