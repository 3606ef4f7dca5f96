/** Exit statuses of the command line; part of the public contract. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  workFailed: 3,
  unreachable: 4,
  denied: 5,
  noMesh: 6,
  config: 78,
} as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

interface CodeInfo {
  readonly exit: ExitStatus;
  readonly summary: string;
}

/** Every error code of the product, with the exit status it gives and what it means. docs/errors.md lists the same. */
export const ERROR_CODES = {
  ABORTED: { exit: EXIT.failed, summary: "the caller's signal ended the call" },
  BUSY: { exit: EXIT.failed, summary: "the node has as much queued work as it takes" },
  CANCELLED: { exit: EXIT.workFailed, summary: "the work was cancelled" },
  CERTIFICATE_INVALID: { exit: EXIT.config, summary: "a certificate cannot be used, or names no node" },
  CERTIFICATE_REVOKED: { exit: EXIT.denied, summary: "the certificate was revoked" },
  CLOSED: { exit: EXIT.failed, summary: "the node is closed or closing" },
  CONFIG_INVALID: { exit: EXIT.config, summary: "the configuration is wrong" },
  CONNECT_FAILED: { exit: EXIT.noMesh, summary: "a peer could not be reached" },
  DATA_DIR_IN_USE: { exit: EXIT.config, summary: "another node holds the data folder" },
  DEADLINE_EXCEEDED: { exit: EXIT.workFailed, summary: "the work did not end before its deadline" },
  DENIED: { exit: EXIT.denied, summary: "not allowed" },
  DUPLICATE_NODE: { exit: EXIT.config, summary: "another live node has this id" },
  EXPIRED: { exit: EXIT.unreachable, summary: "the time to live ran out before the message was accepted" },
  HOP_LIMIT: { exit: EXIT.unreachable, summary: "the message crossed more nodes than the hop limit" },
  INSECURE_LISTEN: { exit: EXIT.config, summary: "a listener beyond loopback needs a certificate or --insecure" },
  INTERNAL: { exit: EXIT.failed, summary: "a defect of this program" },
  INVALID_ARGUMENT: { exit: EXIT.usage, summary: "an argument is not of the form it must have" },
  LISTEN_FAILED: { exit: EXIT.failed, summary: "the address could not be listened on" },
  NO_ROUTE: { exit: EXIT.unreachable, summary: "there is no route, and the message may not wait" },
  OUTPUT_UNWRITABLE: { exit: EXIT.failed, summary: "what a command had to say could not be written" },
  PAYLOAD_UNREADABLE: { exit: EXIT.usage, summary: "the payload could not be read" },
  PLUGIN_INVALID: { exit: EXIT.failed, summary: "a plugin cannot be loaded" },
  PLUGIN_INSTALL_FAILED: { exit: EXIT.failed, summary: "npm could not install or remove a plugin" },
  PROTOCOL_ERROR: { exit: EXIT.failed, summary: "a peer sent what the protocol does not allow" },
  RESPONSES_GONE: { exit: EXIT.failed, summary: "the responses asked for are no longer kept" },
  SLOW_GREETING: { exit: EXIT.noMesh, summary: "a peer did not finish its greeting in time" },
  STORE_CORRUPT: { exit: EXIT.failed, summary: "the store was damaged" },
  STORE_FULL: { exit: EXIT.failed, summary: "the store has no room" },
  STREAM_INCOMPLETE: { exit: EXIT.failed, summary: "a stream ended before it was whole" },
  TIMEOUT: { exit: EXIT.unreachable, summary: "no answer in time" },
  TOKEN_REFUSED: { exit: EXIT.denied, summary: "the mesh does not take the join token" },
  TOO_LARGE: { exit: EXIT.failed, summary: "larger than its limit" },
  UNKNOWN_ACTION: { exit: EXIT.failed, summary: "the plugin has no such action" },
  UNKNOWN_GROUP: { exit: EXIT.unreachable, summary: "no node is a member of the group" },
  UNKNOWN_NODE: { exit: EXIT.unreachable, summary: "the mesh has not heard of the node" },
  UNKNOWN_PLUGIN: { exit: EXIT.failed, summary: "the node has no such plugin" },
  UNKNOWN_WORK: { exit: EXIT.failed, summary: "the node does not know the work" },
  UNREACHABLE_MESH: { exit: EXIT.noMesh, summary: "the mesh could not be reached" },
  UNSUPPORTED: { exit: EXIT.failed, summary: "a peer requires something that this version does not have" },
  VERSION_MISMATCH: { exit: EXIT.failed, summary: "no protocol version in common" },
  WORK_FAILED: { exit: EXIT.workFailed, summary: "the plugin failed" },
  WORK_INTERRUPTED: { exit: EXIT.workFailed, summary: "the worker restarted; whether the work had begun or ended is open" },
} as const satisfies Record<string, CodeInfo>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** JSON-safe facts about an error, by code. */
export type ErrorData = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface MeshErrorOptions {
  readonly data?: ErrorData;
  readonly cause?: unknown;
}

const BRAND = Symbol.for("receptor-mesh.MeshError");

/** The one error class of the product. `code` is of a closed set; `data` holds the facts that a program may act on. */
export class MeshError extends Error {
  readonly code: ErrorCode;
  readonly data: ErrorData;

  constructor(code: ErrorCode, message: string, options: MeshErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "MeshError";
    this.code = code;
    this.data = options.data ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** The exit status of a command that ends with this error. */
  get exit(): ExitStatus {
    return ERROR_CODES[this.code].exit;
  }

  toJSON(): { code: ErrorCode; message: string; data?: ErrorData } {
    return Object.keys(this.data).length === 0
      ? { code: this.code, message: this.message }
      : { code: this.code, message: this.message, data: this.data };
  }
}

/** Whether `value` is a MeshError (of `code`, if given), also one made by another copy of this package. */
export function isMeshError(value: unknown, code?: ErrorCode): value is MeshError {
  if (typeof value !== "object" || value === null || !(BRAND in value)) return false;
  return code === undefined || ("code" in value && value.code === code);
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_CODES, value);
}

/** Wraps whatever was thrown; a MeshError is returned as it is. */
export function toMeshError(thrown: unknown, code: ErrorCode = "INTERNAL"): MeshError {
  if (isMeshError(thrown)) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new MeshError(code, message, { cause: thrown });
}
