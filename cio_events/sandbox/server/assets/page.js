// The page: its address says what is shown, and what is shown follows what arrives.

import {make, plural} from "./dom.js";
import {Live} from "./live.js";
import {detail, empty, head, namesOf, rows} from "./views.js";

const VIEWS = ["people", "timeline", "requests"];
// Rows in the page at once; more is for the filter.
const ROWS = 200;
const PEOPLE_SECONDS = 1;

const by = (id) => document.getElementById(id);
const list = by("list");
const panel = by("detail");
const filter = by("filter");
const form = by("misbehave");
let people = [];
let peopleAt = 0;
let pending = false;
let shownBefore = new Set();
let opened = null;
// Of the timeline of one person: who it is, and the names that they go by.
let whose = {person: null, names: null, mark: null};

function address() {
  const found = new URLSearchParams(location.search);
  const view = VIEWS.includes(found.get("view")) ? found.get("view") : "timeline";
  return {view, q: found.get("q") ?? "", open: found.get("open"), workspace: found.get("workspace"),
    person: view === "timeline" ? found.get("person") : null};
}

function href(changes) {
  const wanted = {...address(), ...changes};
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(wanted)) if (value) found.set(name, value);
  return `?${found}`;
}

function go(changes, replace = false) {
  history[replace ? "replaceState" : "pushState"](null, "", href(changes));
  show();
}

const live = new Live(() => draw(), (state) => {
  by("state").textContent = state;
  by("state").className = state;
});

// At most one drawing a frame, however much arrives.
function draw() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    show();
  });
}

async function refreshPeople() {
  if (Date.now() - peopleAt < PEOPLE_SECONDS * 1000) {
    setTimeout(draw, PEOPLE_SECONDS * 1000);
    return;
  }
  peopleAt = Date.now();
  const seen = live.mark;
  people = await (await fetch("/sandbox/people")).json();
  refreshPeople.mark = seen;
  draw();
}

async function refreshWhose(person) {
  whose = {...whose, person, mark: live.mark, name: whose.person === person ? whose.name : person};
  if (whose.name === person) whose.names = new Set([person.toLowerCase()]);
  const {workspace} = address();
  const of = workspace === null ? "" : `?workspace=${encodeURIComponent(workspace)}`;
  const answer = await fetch(`/sandbox/people/${encodeURIComponent(person)}${of}`);
  if (!answer.ok || whose.person !== person) return;
  const found = await answer.json();
  whose.names = namesOf(found);
  whose.name = found.id ?? found.email ?? found.cio_id;
  draw();
}

// To choose from where there are several; one that is asked for is always there.
function showWorkspaces(chosen) {
  const names = new Set(chosen === null ? [] : [chosen]);
  for (const request of live.requests.values()) if (request.workspace) names.add(request.workspace);
  by("workspaces").hidden = names.size < 2 && chosen === null;
  const select = by("workspace");
  const wanted = JSON.stringify([...names].sort());
  if (select.dataset.names !== wanted) {
    select.dataset.names = wanted;
    select.replaceChildren(make("option", {value: ""}, "All workspaces"),
      ...[...names].sort().map((name) => make("option", {value: name}, name)));
  }
  select.value = chosen ?? "";
}

function show() {
  const {view, q, open, workspace, person} = address();
  for (const link of document.querySelectorAll("nav a")) {
    link.href = href({view: link.dataset.view, open: null, person: null});
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (document.activeElement !== filter) filter.value = q;
  if (view === "people" && refreshPeople.mark !== live.mark) refreshPeople();
  if (person !== null && (whose.person !== person || whose.mark !== live.mark)) refreshWhose(person);
  showWorkspaces(workspace);
  const wanted = {words: q.toLowerCase().split(/\s+/).filter(Boolean), workspace,
    names: person === null ? null : whose.person === person ? whose.names : new Set([person.toLowerCase()])};
  const found = rows(view, [...live.requests.values()], people, wanted, ROWS);
  const focused = document.activeElement?.dataset?.key;
  if (live.requests.size === 0 && !q) {
    list.replaceChildren(empty(location.origin));
  } else {
    const kept = found.shown;
    const note = found.count > ROWS
      ? make("p", {class: "note"}, `The latest ${ROWS} of ${found.count.toLocaleString("en")}. Filter for others.`)
      : found.count === 0 ? make("p", {class: "note"}, person === null || q ? "Nothing matches the filter." : "Nothing of theirs is kept.") : null;
    const fresh = (key) => shownBefore.size > 0 && !shownBefore.has(key);
    const ordered = make("ol", {class: "rows"}, kept.map(({key, cells}) => make("li", {},
      make("a", {class: fresh(key) ? "row fresh" : "row", href: href({open: key}), "data-key": key,
        "aria-current": open === key && "true"}, cells()))));
    const top = list.scrollTop;
    const only = person === null ? null : make("p", {class: "note"},
      "The timeline of ", make("strong", {}, whose.person === person ? whose.name : person), ". ",
      make("a", {href: href({person: null})}, "Show everybody"));
    const shown = kept.length ? make("div", {class: view}, head(view), ordered) : null;
    list.replaceChildren(...[only, note, shown].filter(Boolean));
    list.scrollTop = top;
    shownBefore = new Set(kept.map(({key}) => key));
    if (focused) list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({preventScroll: true});
  }
  let said = plural(live.requests.size, "request");
  if (live.left) said += `, ${live.left.toLocaleString("en")} earlier ones have left`;
  by("counts").textContent = said;
  showDetail(view, open);
}

async function showDetail(view, open) {
  document.querySelector("main").classList.toggle("open", open !== null);
  panel.hidden = open === null;
  if (open === null) {
    opened = null;
    return;
  }
  const wanted = view === "people" ? `${view} ${open} ${live.mark}` : `${view} ${open}`;
  if (wanted === opened) return;
  const same = opened !== null && opened.startsWith(`${view} ${open}`);
  opened = wanted;
  const made = await detail(view, open, href);
  if (opened !== wanted) return;
  const close = make("button", {type: "button", class: "close", onclick: () => go({open: null})}, "Close");
  panel.replaceChildren(close, ...made);
  if (!same) panel.scrollTop = 0;
}

function move(step) {
  const all = [...list.querySelectorAll(".row")];
  const at = all.indexOf(document.activeElement);
  all[Math.min(Math.max(at + step, 0), all.length - 1)]?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (document.activeElement === filter) filter.blur();
    else if (address().open !== null) {
      const key = address().open;
      go({open: null});
      list.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
    }
    return;
  }
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === "/") {
    event.preventDefault();
    filter.focus();
    filter.select();
  }
  if (event.key === "j") move(1);
  if (event.key === "k") move(-1);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='?']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.getAttribute("href"));
  show();
});

by("workspace").addEventListener("change", ({target}) => go({workspace: target.value || null, open: null}));
filter.addEventListener("input", () => go({q: filter.value}, true));
window.addEventListener("popstate", show);

by("misbehave-open").addEventListener("click", () => {
  form.hidden = !form.hidden;
  by("misbehave-open").setAttribute("aria-expanded", String(!form.hidden));
});

form.elements.kind.addEventListener("change", () => {
  for (const label of form.querySelectorAll("[data-for]")) {
    label.hidden = label.dataset.for !== form.elements.kind.value;
  }
});

async function instruct(instruction, done) {
  const {workspace} = address();
  const of = workspace === null ? "" : `?workspace=${encodeURIComponent(workspace)}`;
  const answer = await fetch(`/sandbox/misbehave${of}`, {method: "POST", body: JSON.stringify(instruction)});
  by("misbehave-said").textContent = answer.ok ? done : (await answer.json()).error;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const instruction = {kind: form.elements.kind.value};
  for (const input of form.querySelectorAll("input")) {
    if (input.closest("[data-for]")?.hidden) continue;
    if (input.value !== "") instruction[input.name] = Number(input.value);
    else if (input.name === "times") instruction.times = null;
  }
  instruct(instruction, instruction.times ? `The next ${plural(instruction.times, "request")} will.` : "From now on.");
});

by("heal").addEventListener("click", () => instruct({kind: "heal"}, "All is well again."));

live.start();
