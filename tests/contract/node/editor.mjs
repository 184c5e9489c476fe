// Opens documents in a YAML language server and prints what it says of each, as JSON.
// Standard input: [{uri, text, position?}]; output: [{faults: [[line, column, message]], labels}].
import { spawn } from "node:child_process";
import { text as textOf } from "node:stream/consumers";

const SETTINGS = { validate: true, completion: true, schemaStore: { enable: false } };
const program = new URL("node_modules/yaml-language-server/bin/yaml-language-server", import.meta.url);
const server = spawn(process.execPath, [program.pathname, "--stdio"], {
  stdio: ["pipe", "pipe", "ignore"],
});
const replies = new Map();
const told = new Map();
let unread = Buffer.alloc(0);
let requests = 0;

function write(message) {
  const body = JSON.stringify({ jsonrpc: "2.0", ...message });
  server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function ask(method, params) {
  const id = ++requests;
  write({ id, method, params });
  return new Promise((resolve) => replies.set(id, resolve));
}

function take(message) {
  if (message.id !== undefined && message.method) {
    const sections = message.params?.items ?? [];
    const isConfiguration = message.method === "workspace/configuration";
    const wanted = sections.map(({ section }) => (section === "yaml" ? SETTINGS : {}));
    write({ id: message.id, result: isConfiguration ? wanted : null });
  } else if (message.id !== undefined) {
    replies.get(message.id)(message.result);
  } else if (message.method === "textDocument/publishDiagnostics") {
    told.get(message.params.uri)?.(message.params.diagnostics);
  }
}

server.stdout.on("data", (data) => {
  unread = Buffer.concat([unread, data]);
  for (;;) {
    const start = unread.indexOf("\r\n\r\n") + 4;
    if (start < 4) return;
    const end = start + Number(/Content-Length: (\d+)/i.exec(unread.subarray(0, start))[1]);
    if (unread.length < end) return;
    const message = JSON.parse(unread.subarray(start, end));
    unread = unread.subarray(end);
    take(message);
  }
});

async function open({ uri, text, position }) {
  const diagnosed = new Promise((resolve) => told.set(uri, resolve));
  const textDocument = { uri, languageId: "yaml", version: 1, text };
  write({ method: "textDocument/didOpen", params: { textDocument } });
  const faults = (await diagnosed).map(({ range, message }) => [
    range.start.line,
    range.start.character,
    message,
  ]);
  if (!position) return { faults, labels: [] };
  const [line, character] = position;
  const params = { textDocument: { uri }, position: { line, character } };
  const found = await ask("textDocument/completion", params);
  return { faults, labels: found.items.map((item) => item.label) };
}

await ask("initialize", {
  processId: process.pid,
  rootUri: null,
  capabilities: { workspace: { configuration: true }, textDocument: { completion: {} } },
});
write({ method: "initialized", params: {} });
write({ method: "workspace/didChangeConfiguration", params: { settings: { yaml: SETTINGS } } });
const results = [];
for (const document of JSON.parse(await textOf(process.stdin))) results.push(await open(document));
process.stdout.write(JSON.stringify(results));
server.kill();
