// The three views: their rows, and what is behind one.

import {bytes, clock, make, moment, plural, pretty} from "./dom.js";

const matches = (words, ...texts) => {
  if (words.length === 0) return true;
  const text = texts.filter((t) => t !== null && t !== undefined).join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
};

// What stands above the columns.
const HEADS = {
  people: ["Name", "E-mail", "Attributes", ""],
  timeline: ["Arrived", "Logged", "Verdict", "Kind", "Name", "Customer", "Request"],
  requests: ["Request", "Arrived", "Method", "Path", "Status", "Items", "Time", "Body"],
};
const NUMBERS = new Set(["Attributes", "Request", "Items", "Time", "Body"]);

export function head(view) {
  return make("div", {class: "head", "aria-hidden": "true"},
    HEADS[view].map((text) => make("span", {class: NUMBERS.has(text) && "number"}, text)));
}

class Rows {
  constructor(most) {
    this.most = most;
    this.shown = [];
    this.count = 0;
  }

  add(key, cells) {
    this.count += 1;
    if (this.shown.length < this.most) this.shown.push({key, cells});
  }
}

// The latest rows first, as {key, cells}, and how many there are beside those that are shown.
export function rows(view, requests, people, {words, workspace, names}, most) {
  const found = new Rows(most);
  if (view === "people") {
    peopleRows(people, words, workspace, found);
    return found;
  }
  for (const request of requests.sort((a, b) => b.index - a.index)) {
    if (workspace !== null && request.workspace !== workspace) continue;
    if (view === "requests") requestRow(request, words, found);
    else timelineRows(request, words, names, found);
  }
  return found;
}

// All that calls name a person by, or have named those by who were merged into them.
export function namesOf(person) {
  const names = [person.id, person.email, person.cio_id, `cio_${person.cio_id}`, person.attributes.phone,
    person.attributes.anonymous_id, ...person.merged];
  return new Set(names.filter((name) => typeof name === "string").map((name) => name.toLowerCase()));
}

// When it was logged, if that is another time than that of its arrival.
function logged(item, request) {
  if (item.timestamp === null || Math.abs(item.timestamp - request.time) < 2) return "";
  const at = new Date(item.timestamp * 1000);
  const sameDay = at.toDateString() === new Date(request.time * 1000).toDateString();
  return sameDay ? clock(item.timestamp) : at.toLocaleDateString("en-CA");
}

function timelineRows(request, words, names, found) {
  for (let place = request.items.length - 1; place >= 0; place -= 1) {
    const item = request.items[place];
    if (names !== null && !names.has(item.customer?.toLowerCase())) continue;
    const rules = item.findings.map((finding) => finding.rule);
    const verdict = item.verdict === "accepted" && rules.length ? "finding" : item.verdict;
    if (!matches(words, verdict, item.kind, item.name, item.customer, item.id, ...rules)) continue;
    found.add(`${request.index}.${place}`, () => [
      make("span", {class: "quiet"}, clock(request.time)),
      make("span", {class: "quiet", title: item.timestamp === null ? null : `logged ${moment(item.timestamp)}`}, logged(item, request)),
      make("span", {class: verdict}, verdict),
      make("span", {}, item.kind),
      make("span", {class: "name"}, item.name ?? ""),
      make("span", {}, item.customer ?? ""),
      make("span", {class: "quiet number"}, `#${request.index}`),
    ]);
  }
}

function requestRow(request, words, found) {
  const status = request.status ?? "dropped";
  if (!matches(words, request.method, request.path, status)) return;
  const refused = request.items.filter((item) => item.verdict === "refused").length;
  found.add(String(request.index), () => [
    make("span", {class: "quiet number"}, `#${request.index}`),
    make("span", {class: "quiet"}, clock(request.time)),
    make("span", {}, request.method),
    make("span", {class: "mono"}, request.path),
    make("span", {class: status === 207 ? "odd" : status < 300 ? "ok" : "failed"}, status),
    make("span", {class: refused ? "refused number" : "quiet number"},
      refused ? `${refused} refused` : plural(request.items.length, "item")),
    make("span", {class: "quiet number"}, request.seconds === null ? "" : `${(request.seconds * 1000).toFixed(1)} ms`),
    make("span", {class: "quiet number"}, bytes(request.size)),
  ]);
}

function peopleRows(people, words, workspace, found) {
  for (const person of [...people].reverse()) {
    if (workspace !== null && person.workspace !== workspace) continue;
    const name = person.id ?? person.email ?? person.cio_id;
    if (words.length && !matches(words, person.id, person.email, person.cio_id, JSON.stringify(person.attributes))) continue;
    found.add(person.cio_id, () => [
      make("span", {class: "name"}, name),
      make("span", {}, person.email ?? ""),
      make("span", {class: "quiet number"}, plural(Object.keys(person.attributes).length, "attribute")),
      make("span", {class: "odd"}, person.suppressed ? "suppressed" : ""),
    ]);
  }
}

export function empty(origin) {
  return make("div", {class: "empty"},
    make("h2", {}, "Nothing has arrived yet"),
    make("p", {class: "quiet"}, "Point an application here:"),
    make("pre", {tabindex: "0"}, `export CIO_SITE_ID=sandbox CIO_API_KEY=sandbox CIO_TRACK_URL=${origin}`),
    make("p", {class: "quiet"}, "and make the first event:"),
    make("pre", {tabindex: "0"}, "import cio_events, structlog\n"
      + "structlog.configure(processors=[cio_events.CustomerIOProcessor(), structlog.dev.ConsoleRenderer()])\n"
      + 'structlog.get_logger().info("purchase", cio_customer="5", price=13.99)'));
}

// What is behind a row: the elements of the panel.
export async function detail(view, key, href) {
  const [number, place] = key.split(".");
  const path = view === "people" ? `people/${encodeURIComponent(key)}` : `requests/${encodeURIComponent(number)}`;
  const answer = await fetch(`/sandbox/${path}`);
  if (!answer.ok) return [make("h2", {}, "It has left"), make("p", {class: "quiet"}, (await answer.json()).error)];
  const found = await answer.json();
  return view === "people" ? ofPerson(found, href) : ofRequest(found, view === "timeline" ? Number(place) : null, href);
}

function table(head, ...lines) {
  return make("table", {}, make("thead", {}, make("tr", {}, head.map((text) => make("th", {scope: "col"}, text)))),
    make("tbody", {}, lines.map((cells) => make("tr", {}, cells.map((cell) => make("td", {}, cell))))));
}

function ofPerson(person, href) {
  const name = person.id ?? person.email ?? person.cio_id;
  const part = (title, shown) => [make("h3", {}, title), shown];
  const source = (attribute) => {
    const number = person.sources[attribute];
    if (number === undefined) return "";
    return make("a", {href: href({view: "requests", open: String(number)})}, `#${number}`);
  };
  const made = [
    make("h2", {}, name),
    make("p", {class: "quiet"}, [person.id && `id ${person.id}`, person.email, `cio_id ${person.cio_id}`].filter(Boolean).join(" · ")),
  ];
  if (person.suppressed) made.push(make("p", {class: "odd"}, "Suppressed: calls that name this person are ignored."));
  if (person.merged.length) made.push(make("p", {}, `Merged from ${person.merged.join(", ")}.`));
  made.push(make("div", {class: "actions"}, make("a", {href: href({view: "timeline", person: person.cio_id, q: "", open: null})}, "Timeline")));
  const attributes = Object.entries(person.attributes);
  if (attributes.length) {
    made.push(...part("Attributes", table(["Name", "Value", "Changed by", "When"], ...attributes.map(
      ([key, value]) => [key, make("span", {class: "mono"}, pretty(value)), source(key),
        key in person.timestamps ? moment(person.timestamps[key]) : ""]))));
  }
  const devices = Object.values(person.devices);
  if (devices.length) {
    made.push(...part("Devices", table(["Token", "Platform", "Last used"], ...devices.map(
      (device) => [make("span", {class: "mono"}, device.token), device.platform, moment(device.last_used)]))));
  }
  if (person.relationships.length) {
    made.push(...part("Relationships", table(["Type", "Object", "Attributes"], ...person.relationships.map(
      (one) => [one.object_type_id, one.object_id, make("span", {class: "mono"}, pretty(one.attributes))]))));
  }
  if (person.segments.length) made.push(...part("Manual segments", make("p", {}, person.segments.join(", "))));
  return made;
}

function explained(finding) {
  const line = (term, text) => (text === null ? [] : [make("dt", {}, term), make("dd", {}, text)]);
  return make("div", {class: finding.reason === "finding" ? "explained" : "explained broken"},
    make("strong", {}, finding.message),
    make("p", {}, finding.mend),
    make("dl", {}, line("Rule", finding.rule), line("Field", finding.field || null),
      line("Value", finding.value), line("Limit", finding.limit)));
}

function ofRequest(request, place, href) {
  const status = request.status === null ? "dropped" : String(request.status);
  const many = Array.isArray(request.body?.batch);
  const item = place === null ? null : request.items[place];
  const body = item && many ? request.body.batch[place] : request.body;
  const made = [];
  if (item) {
    made.push(make("h2", {}, item.name ?? item.kind),
      make("p", {class: "quiet"}, [item.kind, item.customer && `for ${item.customer}`, item.verdict].filter(Boolean).join(" · ")),
      make("p", {class: "quiet"}, `Arrived ${moment(request.time)}`, item.timestamp === null ? "" : `, logged ${moment(item.timestamp)}`),
      make("p", {}, make("a", {href: href({view: "requests", open: String(request.index)})}, `Request #${request.index}`)));
  } else {
    made.push(make("h2", {class: "mono"}, `${request.method} ${request.path}`),
      make("p", {class: "quiet"}, `#${request.index} · ${status} · ${moment(request.time)} · ${bytes(request.size)}`));
  }
  const shown = item ? [item] : request.items;
  for (const one of shown.filter((each) => each.findings.length).slice(0, 50)) {
    if (!item && many) made.push(make("h3", {}, `Item ${request.items.indexOf(one)}: ${one.name ?? one.kind}${one.customer ? ` for ${one.customer}` : ""}`));
    made.push(...one.findings.map(explained));
  }
  if (request.path.startsWith("/v1/send/") && request.answer?.delivery_id) made.push(message(request));
  const copies = [copier("Copy as curl", () => curl(request, location.origin))];
  const line = logLine(item, request, body);
  if (line) copies.push(copier("Copy as log line", () => line));
  made.push(make("div", {class: "actions"}, copies));
  if (body !== null) made.push(make("h3", {}, item && many ? "Operation" : "Body"), make("pre", {tabindex: "0"}, pretty(body)));
  if (request.answer !== null) made.push(make("h3", {}, "Answer"), make("pre", {tabindex: "0"}, pretty(request.answer)));
  if (!item) made.push(make("h3", {}, "Headers"), table(["Name", "Value"], ...Object.entries(request.headers)));
  return made;
}

function message(request) {
  const fields = request.body;
  const line = (term, text) => (text ? [make("dt", {}, term), make("dd", {}, typeof text === "string" ? text : pretty(text))] : []);
  const parts = make("dl", {}, line("From", fields.from), line("To", fields.to), line("Subject", fields.subject),
    line("Title", fields.title), line("Message", fields.message), line("Template", String(fields.transactional_message_id ?? "")));
  const frame = fields.body === undefined ? null : make("iframe", {sandbox: "", title: "The message",
    src: `/sandbox/messages/${encodeURIComponent(request.answer.delivery_id)}/body`});
  return make("div", {class: "mail"}, parts, frame);
}

function copier(label, text) {
  const button = make("button", {type: "button", onclick: async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  }}, label);
  return button;
}

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// Without credentials: those of a sandbox are anything.
export function curl(request, origin) {
  const body = request.body === null ? "" : ` -H 'Content-Type: application/json' -d ${shell(typeof request.body === "string" ? request.body : JSON.stringify(request.body))}`;
  const who = request.path.startsWith("/v1/send/") ? "-H 'Authorization: Bearer sandbox'" : "-u sandbox:sandbox";
  return `curl -X ${request.method} ${who}${body} ${shell(origin + request.path)}`;
}

export function python(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${python(v)}`).join(", ")}}`;
  return JSON.stringify(value);
}

const NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
const WORDS = new Set("and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield None True False event exc_info stack_info stacklevel positional_args level logger timestamp".split(" "));

// The log call that makes this item, where a word asks for it.
export function logLine(item, request, body) {
  if (item === null || !["event", "page", "screen", "identify"].includes(item.kind) || !item.customer) return null;
  const one = request.path.startsWith("/api/v2/");
  const data = (one ? body.attributes : item.kind === "identify" ? body : body.data) ?? {};
  const plain = Object.keys(data).every((key) => NAME.test(key) && !WORDS.has(key) && !key.startsWith("cio"));
  const parts = [JSON.stringify(item.name ?? "identify"), `cio_customer=${JSON.stringify(item.customer)}`];
  if (item.kind !== "event") parts.push(`cio=${JSON.stringify(item.kind)}`);
  parts.push(...(plain ? Object.entries(data).map(([k, v]) => `${k}=${python(v)}`) : [`cio_data=${python(data)}`]));
  return `log.info(${parts.join(", ")})`;
}
