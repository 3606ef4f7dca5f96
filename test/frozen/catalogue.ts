import type { Case } from "./case.ts";
import { DEED_CASES } from "./cases/deeds.ts";
import { DISK_CASES } from "./cases/disk.ts";
import { LINK_CASES } from "./cases/link.ts";
import { MESSAGE_CASES } from "./cases/messages.ts";
import { NEWER_CASES } from "./cases/newer.ts";
import { ROUTING_CASES } from "./cases/routing.ts";
import { SEALED_CASES } from "./cases/sealed.ts";
import { RECORD_CASES, STREAM_CASES } from "./cases/streams.ts";

/** All that is frozen, by the file that it is recorded in. */
export const CATALOGUE: Readonly<Record<string, readonly Case[]>> = {
  "link.hex": LINK_CASES,
  "routing.hex": ROUTING_CASES,
  "message.hex": [...MESSAGE_CASES, ...DEED_CASES],
  "stream.hex": STREAM_CASES,
  "record.hex": RECORD_CASES,
  "sealed.hex": SEALED_CASES,
  "newer.hex": NEWER_CASES,
  "disk.hex": DISK_CASES,
};
