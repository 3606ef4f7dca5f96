// Writes records without end, many at once, and prints the number of each that was acknowledged. Argument: the store's folder.
import { openLevelStore } from "../../../src/storage/level-store.ts";
import { key, payload } from "./support.ts";

const store = await openLevelStore(process.argv[2] ?? "");
let next = 0;

function one(): void {
  const seq = next++;
  store.write([{ type: "put", key: key(seq), value: payload(seq) }], (error) => {
    process.stdout.write(error === undefined ? `${seq}\n` : `error ${error.code}\n`);
    one();
  });
}

for (let i = 0; i < 50; i++) one();
