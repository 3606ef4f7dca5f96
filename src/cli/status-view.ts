import type { NodeStatus, Status } from "../node/api.ts";
import { escapeLine } from "./escape.ts";
import type { Output } from "./output.ts";
import { humanBytes, humanRtt, humanTime, table } from "./table.ts";

/** A status for people: a section for each thing that there is. */
export function renderStatus(status: Status, out: Pick<Output, "style">): string[] {
  const listening = status.listening.length === 0 ? "not listening" : `listening on ${status.listening.join(", ")}`;
  const title = `${out.style("bold", escapeLine(status.node))}  version ${escapeLine(status.version)}, up ${humanTime(status.uptime * 1_000)}, ${escapeLine(listening)}`;
  return [
    title,
    ...warnings(status, out),
    ...own(status, out),
    ...nodes(status, out),
    ...links(status, out),
    ...parked(status, out),
    ...work(status, out),
  ];
}

function warnings({ warnings }: Status, out: Pick<Output, "style">): string[] {
  return warnings.map((warning) => out.style("yellow", `warning: ${escapeLine(warning)}`));
}

function own({ plugins }: Status, out: Pick<Output, "style">): string[] {
  const rows = plugins.map(({ name, version, isolated, hidden, pid, restarts }) => [
    name,
    version,
    isolated ? `its own, ${pid === null ? "starting again" : (pid ?? "-")}` : "the node's",
    isolated ? (hidden === true ? "hidden" : "open") : "open",
    isolated ? String(restarts ?? 0) : "-",
  ]);
  return rows.length === 0 ? [] : section("PLUGIN,VERSION,PROCESS,DATA,RESTARTS", rows, out, [4]);
}

function nodes({ nodes }: Status, out: Pick<Output, "style">): string[] {
  if (nodes.length === 0) return ["", "no other node"];
  const rows = nodes.map((node) => [
    node.id + (node.ephemeral ? " (short-lived)" : ""),
    node.reachable ? (node.via === node.id ? "direct" : `via ${node.via ?? "-"}`) : "no route",
    String(node.hops ?? "-"),
    String(node.cost ?? "-"),
    node.groups.join(",") || "-",
    plugins(node),
    node.work.queued > 0 ? `${node.work.running} (+${node.work.queued} queued)` : String(node.work.running),
  ]);
  return section("NODE,ROUTE,HOPS,COST,GROUPS,PLUGINS,WORK", rows, out, [2, 3]);
}

function plugins({ plugins }: NodeStatus): string {
  return plugins.map(({ name, version }) => `${name}@${version}`).join(" ") || "-";
}

function links({ links }: Status, out: Pick<Output, "style">): string[] {
  const rows = links.map((link) => [
    link.peer,
    link.direction,
    link.url,
    String(link.cost),
    humanRtt(link.rtt),
    humanTime(link.since * 1_000),
    link.secure ? "yes" : "no",
  ]);
  return rows.length === 0 ? [] : section("LINK,DIRECTION,ADDRESS,COST,RTT,SINCE,SECURE", rows, out, [3, 4]);
}

function parked({ parked }: Status, out: Pick<Output, "style">): string[] {
  const rows = parked.destinations.map(({ node, messages, bytes }) => [node, String(messages), humanBytes(bytes)]);
  return rows.length === 0 ? [] : section("PARKED FOR,MESSAGES,SIZE", rows, out, [1, 2]);
}

function work({ work }: Status, out: Pick<Output, "style">): string[] {
  const rows = work.map((item) => [
    item.id,
    item.directive || "-",
    `${item.role === "sender" ? "to" : "from"} ${item.peer}`,
    item.state,
    String(item.responses),
    humanTime(item.since * 1_000),
  ]);
  return rows.length === 0 ? [] : section("WORK,DIRECTIVE,PEER,STATE,RESPONSES,SINCE", rows, out, [4]);
}

function section(header: string, rows: readonly (readonly string[])[], out: Pick<Output, "style">, right: readonly number[]): string[] {
  const [head = "", ...lines] = table(
    header.split(","),
    rows.map((row) => row.map(escapeLine)),
    new Set(right),
  );
  return ["", out.style("dim", head), ...lines];
}
