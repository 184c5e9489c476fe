// Reads and writes CloudEvents with their JavaScript SDK.
// Standard input: {read: [{headers, body}], write: {event attributes}}; output:
// {read: [event, null where it is none], written: {binary: {headers, body}, structured: {...}}}.
import { text as textOf } from "node:stream/consumers";
import { CloudEvent, HTTP } from "cloudevents";

const { read, write } = JSON.parse(await textOf(process.stdin));
const event = new CloudEvent(write);
const result = {
  read: read.map((message) => (HTTP.isEvent(message) ? HTTP.toEvent(message).toJSON() : null)),
  written: { binary: HTTP.binary(event), structured: HTTP.structured(event) },
};
process.stdout.write(JSON.stringify(result));
