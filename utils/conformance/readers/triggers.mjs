// A second reader of triggers.json, for a test: it proves that the table belongs to no language, and is a pattern for the layers to come.
// `node triggers.mjs TABLE` reads a JSON list of [event, client context] from stdin, and writes what it recognises.
import { readFileSync } from "node:fs";

const table = JSON.parse(readFileSync(process.argv[2], "utf8"));
const isObject = (v) => v !== null && typeof v === "object" && !Array.isArray(v);
const isText = (v) => typeof v === "string";
const entries = (v) => (isObject(v) ? Object.entries(v) : []);

function at(node, path) {
  for (const key of path) {
    const inside = isText(key) ? isObject(node) : Array.isArray(node);
    if (!inside || !Object.hasOwn(node, key)) return undefined;
    node = node[key];
  }
  return node;
}

const kinds = { string: isText, object: isObject, list: Array.isArray };

function holds(tests, node) {
  return tests.every((test) =>
    (test.any ?? [test.path]).some((path) => {
      if (test.is === "present") {
        const holder = at(node, path.slice(0, -1));
        return isObject(holder) && Object.hasOwn(holder, path.at(-1));
      }
      const found = at(node, path);
      if (test.equals) return test.equals.includes(found);
      if (test.contains) return isText(found) && found.includes(test.contains);
      return kinds[test.is](found);
    }),
  );
}

function complete(row) {
  if (!row.like) return row;
  const base = complete(table.shapes[row.like] ?? table.rows.find((r) => r.row === row.like));
  return { ...base, ...row, attributes: { ...base.attributes, ...row.attributes } };
}

function textOfBytes(values) {
  if (!values.every((v) => Number.isInteger(v) && v >= -128 && v < 256)) return "";
  return Buffer.from(values.map((v) => v & 255)).toString("utf8");
}

function fields(node, member, bytes, joined) {
  const out = new Map();
  for (const part of Array.isArray(node) ? node : [node]) {
    for (let [name, value] of entries(part)) {
      if (member !== undefined) value = isObject(value) && Object.hasOwn(value, member) ? value[member] : undefined;
      if (Array.isArray(value)) value = bytes ? textOfBytes(value) : value.filter(isText).join(",");
      name = name.toLowerCase();
      if (!isText(value) || !value) continue;
      if (!out.has(name)) out.set(name, [value]);
      else if (joined) out.get(name).push(value);
    }
  }
  return new Map([...out].map(([name, values]) => [name, values.join(",")]));
}

function forwarded(text) {
  const out = new Map();
  const parts = text.split('"');
  let name = "";
  for (let number = 0; number < parts.length; number++) {
    const [element, ...others] = number % 2 ? [parts[number]] : parts[number].split(",");
    for (const pair of number % 2 ? [`${name}=${element}`] : element.split(";")) {
      const [key, ...rest] = pair.split("=");
      name = key.replace(/^[ \t]+|[ \t]+$/g, "").toLowerCase();
      const value = number % 2 ? element : rest.join("=").replace(/^[ \t]+|[ \t]+$/g, "");
      if (name && value && !out.has(name)) out.set(name, value);
    }
    if (others.length) break;
  }
  return out;
}

const marked = (carrier) => table.fields.some((field) => carrier.has(field));

function parsed(text, base64) {
  if (!isText(text) || text.length > table.largest_json) return undefined;
  try {
    if (base64) {
      if (text.length % 4) return undefined;
      text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(text, "base64"));
    }
    const lower = text.toLowerCase();
    return table.fields.some((field) => lower.includes(`"${field}`)) ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

function context(sources, root, headers) {
  let first = new Map();
  for (const source of isText(sources) ? table.contexts[sources] : sources) {
    if (!holds(source.when ?? [], root)) continue;
    let found;
    if (source.headers) found = headers;
    else if (source.json) found = context(source.context, parsed(at(root, source.json), source.base64));
    else found = fields(at(root, source.map), source.member, source.bytes);
    if (marked(found)) return found;
    if (!first.size) first = found;
  }
  return first;
}

function formEncode(text) {
  const plain = (byte) => /[A-Za-z0-9._~-]/.test(String.fromCharCode(byte));
  return [...Buffer.from(text)]
    .map((b) => (b < 128 && plain(b) ? String.fromCharCode(b) : b === 32 ? "+" : "%" + b.toString(16).toUpperCase().padStart(2, "0")))
    .join("");
}

function formDecode(text) {
  const bytes = text.replaceAll("+", " ").split(/(%[0-9A-Fa-f]{2})/);
  return Buffer.concat(bytes.map((part, n) => (n % 2 ? Buffer.from(part.slice(1), "hex") : Buffer.from(part)))).toString("utf8");
}

function query(values, encode) {
  const write = encode ? formEncode : (text) => text;
  return entries(values)
    .flatMap(([name, several]) => (Array.isArray(several) ? several : [several]).filter(isText).map((v) => `${write(name)}=${write(v)}`))
    .join("&");
}

function sqsUrl(text) {
  const parts = text.split(":");
  if (parts.length !== 6 || !parts.every(Boolean)) return "";
  return `https://sqs.${parts[3]}.amazonaws.com${parts[1] === "aws-cn" ? ".cn" : ""}/${parts[4]}/${parts[5]}`;
}

const transforms = {
  first: (text) => text.split(",")[0].trim(),
  host: (text) => text.replace(/:[0-9]+$/, ""),
  port: (text) => Number(/^[^]+:([0-9]{1,5})$/.exec(text)?.[1] ?? 0),
  node: (text) => {
    if (text[0] === "[") return text.slice(1).split("]")[0];
    const parts = text.split(":");
    const name = parts.length === 2 ? parts[0] : text;
    return name[0] === "_" || name.toLowerCase() === "unknown" ? "" : name;
  },
  after: (text, prefix) => (text.slice(0, prefix.length).toUpperCase() === prefix.toUpperCase() ? text.slice(prefix.length) : ""),
  segment: (text, separator, number) => text.split(separator)[number],
  "one-of": (text, list, other) => (table.lists[list].includes(text) ? text : other),
  "none-of": (text, list) => (table.lists[list].includes(text) ? "" : text),
  cases: (text, ...pairs) => pairs.find(([prefix]) => text.startsWith(prefix))?.[1],
  "form-decode": formDecode,
  "arn-resource": (text) => text.split(":").slice(5).join(":"),
  "sqs-url": sqsUrl,
};

function recognise(event, client) {
  const row = complete(table.rows.find((r) => holds(r.when, event)));
  const headers = new Map();
  for (const path of row.headers ?? []) {
    for (const [name, text] of fields(at(event, path), undefined, false, true)) if (!headers.has(name)) headers.set(name, text);
  }
  if (row.forwarded && headers.has("forwarded")) {
    const given = forwarded(headers.get("forwarded"));
    for (const [parameter, name] of Object.entries(row.forwarded)) if (given.has(parameter)) headers.set(name, given.get(parameter));
  }
  let records = row.records ? at(event, row.records) : [];
  if (isObject(records)) records = Object.values(records).filter(Array.isArray).flat();
  if (!Array.isArray(records)) records = [];

  function found(source) {
    let raw;
    if (source.path) raw = [at(event, source.path)];
    else if (source.header) raw = [headers.get(source.header.find((name) => headers.has(name)))];
    else if (source.query) raw = [query(at(event, source.query), source.encode)];
    else if (source.record) raw = records.map((record) => at(record, source.record));
    else raw = entries(at(event, source.keys)).map(([key]) => key);
    const apply = (value) => (source.as ?? []).reduce((text, [name, ...args]) => (text ? transforms[name](text, ...args) : text), value);
    return [...new Set(raw.filter(isText).map(apply).filter(Boolean))];
  }
  function first(sources) {
    for (const source of sources ?? []) {
      if (source.value) return source.value;
      if (source.count) return records.length > 1 ? records.length : undefined;
      const values = found(source);
      if (source.all && values.length) return values;
      if (!source.all && values.length === 1) return values[0];
    }
    return undefined;
  }
  function message(record) {
    const id = (row.message.id ?? []).map((source) => at(record, source.path)).find(isText) ?? "";
    const header = row.message.xray ? at(record, row.message.xray) : undefined;
    return [id, Object.fromEntries(context(row.message.context, record)), isText(header) ? header : null];
  }

  let carrier = context(table.client_context, client);
  if (!marked(carrier)) carrier = context(row.context ?? [], event, headers);
  const values = Object.entries(row.attributes ?? {}).map(([name, sources]) => [name, first(sources)]);
  const attributes = Object.fromEntries(values.filter(([, value]) => value !== undefined));
  const out = { row: row.row, trigger: row.trigger, name: first(row.name) ?? "", attributes, carrier: Object.fromEntries(carrier), batch: null };
  if (!row.consumer) return out;
  const { operation, destination, several } = row.consumer;
  const differ = row.attributes[destination].some((source) => found(source).length > 1);
  const name = `${operation} ${attributes[destination] ?? (differ ? several : "")}`.trimEnd();
  return { ...out, attributes: {}, batch: [name, attributes, records.slice(-table.most_links).filter(isObject).map(message)] };
}

const events = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(events.map(([event, client]) => recognise(event, client))));
