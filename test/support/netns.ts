import { execFileSync } from "node:child_process";

/** A fault of one host's network, until it is mended. */
export type Fault =
  /** Nothing goes in or out. */
  | { readonly type: "drop" }
  /** Nothing comes in; what it says still leaves. */
  | { readonly type: "deaf" }
  /** Nothing passes between it and one other host. */
  | { readonly type: "apart"; readonly from: number }
  | { readonly type: "link-down" }
  /** Both ways. */
  | { readonly type: "slow"; readonly kilobits: number }
  /** What is larger is lost on its way in, and nobody is told. */
  | { readonly type: "small-mtu"; readonly bytes: number };

let count = 0;

/** Why this machine cannot have namespaces with faults; undefined: it can. */
export function whyNoNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const namespaces = attempt(() => new Namespaces(2));
  if (!(namespaces instanceof Namespaces)) return `network namespaces: ${namespaces}`;
  try {
    const faults: readonly Fault[] = [{ type: "deaf" }, { type: "slow", kilobits: 1_000 }, { type: "small-mtu", bytes: 600 }];
    for (const fault of faults) {
      const trouble = attempt(() => namespaces.fault(0, fault));
      if (typeof trouble === "string") return `the fault "${fault.type}": ${trouble}`;
    }
    return undefined;
  } finally {
    namespaces.close();
  }
}

/**
 * Hosts of their own on one bridge: network namespaces, joined by veth pairs in a namespace that is the switch. Nothing is made
 * in the namespace of this process. Needs root, `ip`, `nft` and `tc`.
 */
export class Namespaces {
  readonly #prefix = `receptor-${process.pid}-${count++}`;
  readonly #hosts: number;
  readonly #onExit = (): void => this.close();

  constructor(hosts: number) {
    this.#hosts = hosts;
    process.once("exit", this.#onExit);
    try {
      const hub = this.#hub;
      run("ip", "netns", "add", hub);
      run("ip", "-n", hub, "link", "add", "bridge", "type", "bridge");
      run("ip", "-n", hub, "link", "set", "bridge", "up");
      for (let host = 0; host < hosts; host++) {
        const name = this.name(host);
        run("ip", "netns", "add", name);
        run("ip", "link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", port(host), "netns", hub);
        run("ip", "-n", hub, "link", "set", port(host), "master", "bridge", "up");
        run("ip", "-n", name, "address", "add", `${this.address(host)}/24`, "dev", "eth0");
        run("ip", "-n", name, "link", "set", "lo", "up");
        run("ip", "-n", name, "link", "set", "eth0", "up");
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  name(host: number): string {
    return `${this.#prefix}-${host}`;
  }

  address(host: number): string {
    return `10.99.0.${host + 1}`;
  }

  /** The command that runs `command` on that host. */
  on(host: number, ...command: readonly string[]): readonly [string, readonly string[]] {
    return ["ip", ["netns", "exec", this.name(host), ...command]];
  }

  /** One fault of a kind at a time on one host. */
  fault(host: number, fault: Fault): void {
    const name = this.name(host);
    switch (fault.type) {
      case "drop":
        return this.#filter(host, "drop", "drop");
      case "deaf":
        return this.#filter(host, "drop", "accept");
      case "apart": {
        const other = this.address(fault.from);
        return this.#filter(host, `accept; ip saddr ${other} drop`, `accept; ip daddr ${other} drop`);
      }
      case "link-down":
        return run("ip", "-n", this.#hub, "link", "set", port(host), "down");
      case "slow":
        for (const [at, device] of this.#ends(host)) {
          const shape = ["rate", `${fault.kilobits}kbit`, "burst", "16kb", "latency", "500ms"];
          run("tc", "-n", at, "qdisc", "replace", "dev", device, "root", "tbf", ...shape);
        }
        return;
      case "small-mtu":
        return run("ip", "-n", name, "link", "set", "eth0", "mtu", String(fault.bytes));
    }
  }

  mend(host: number, type: Fault["type"]): void {
    switch (type) {
      case "drop":
      case "deaf":
      case "apart":
        return this.#nft(host, "delete table inet fault");
      case "link-down":
        return run("ip", "-n", this.#hub, "link", "set", port(host), "up");
      case "slow":
        for (const [at, device] of this.#ends(host)) run("tc", "-n", at, "qdisc", "delete", "dev", device, "root");
        return;
      case "small-mtu":
        return run("ip", "-n", this.name(host), "link", "set", "eth0", "mtu", "1500");
    }
  }

  /** Removes everything; what still runs on the hosts loses its network. Closing twice is harmless. */
  close(): void {
    process.off("exit", this.#onExit);
    for (const name of [...Array.from({ length: this.#hosts }, (_, host) => this.name(host)), this.#hub]) {
      attempt(() => run("ip", "netns", "delete", name));
    }
  }

  get #hub(): string {
    return `${this.#prefix}-hub`;
  }

  #ends(host: number): readonly (readonly [string, string])[] {
    return [
      [this.#hub, port(host)],
      [this.name(host), "eth0"],
    ];
  }

  /** `input` and `output`: a policy, and maybe a rule behind it. */
  #filter(host: number, input: string, output: string): void {
    const chain = (hook: string, text: string): string => {
      const [policy = "accept", rule = ""] = text.split("; ");
      return `chain ${hook} {\n type filter hook ${hook} priority 0; policy ${policy};\n ${rule}\n }`;
    };
    this.#nft(host, `table inet fault {\n ${chain("input", input)}\n ${chain("output", output)}\n }\n`);
  }

  #nft(host: number, script: string): void {
    const [command, args] = this.on(host, "nft", "-f", "-");
    execFileSync(command, args, { input: script, stdio: ["pipe", "ignore", "pipe"] });
  }
}

function port(host: number): string {
  return `port${host}`;
}

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** What it gives, or why it failed. */
function attempt<T>(what: () => T): T | string {
  try {
    return what();
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
}
