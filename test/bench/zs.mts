import { readFileSync } from "node:fs";
import { Stage } from "./stage.ts";
import { startRaw } from "./stages/raw.ts";
import { startMesh } from "./stages/mesh.ts";
const stage = new Stage();
const cpu = (pid: number) => { const f = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" "); return (Number(f[11]) + Number(f[12])) * 10; };
try { const raw: any = await startRaw(stage, "splice"); const mesh = await startMesh(stage);
 const rp = [raw.sender.pid, raw.relay?.pid, raw.receiver.pid].filter(Boolean); const mp = [mesh.controller.pid, mesh.relay.pid, stage.mesh.pid("worker")];
 const show = (n: string, p: number[], b: number[], ms: number) => { const u = p.map((x, k) => cpu(x) - b[k]!); console.log(n, (1073.7 / ms * 1000).toFixed(0), "MB/s cpu ms/MiB", u.map(x => (x / 1024).toFixed(2)).join(" "), "busy", (u.reduce((a, x) => a + x, 0) / ms).toFixed(2)); };
 for (let i = 0; i < Number(process.argv[2] ?? 4); i++) {
  await raw.receiver.ask("expect", { bytes: 2 ** 30, port: raw.port, hash: false }); let b = rp.map(cpu), t = performance.now(); await raw.sender.ask("bulk", { bytes: 2 ** 30, port: raw.port }); await raw.receiver.ask("received"); show("splice", rp, b, performance.now() - t);
  b = mp.map(cpu); t = performance.now(); await mesh.controller.ask("bulk", { bytes: 2 ** 30, directive: "bench:sink" } as never); show("mesh  ", mp, b, performance.now() - t); } } finally { await stage.close(); }
