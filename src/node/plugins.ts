import { MeshError } from "../core/errors.ts";
const no = (): never => { throw new MeshError("INTERNAL", "being written"); };
export const installPlugin: (f: string, s: string, o: object) => Promise<{ name: string; version: string; package: string }> = no;
export const removePlugin: (f: string, n: string) => Promise<void> = no;
export const listInstalled: (f: string) => Promise<{ name: string; package: string; version: string }[]> = no;
