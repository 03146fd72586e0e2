// Elements from data. Every text is set as text: nothing that came from outside is ever markup.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined).map(
    (child) => (child instanceof Node ? child : String(child))));
  return element;
}

// Made once: to make one takes longer than the rest of a row.
const CLOCK = new Intl.DateTimeFormat([], {hour: "numeric", minute: "numeric", second: "numeric", hour12: false});

export function clock(seconds) {
  return CLOCK.format(seconds * 1000);
}

export function moment(seconds) {
  // Of all countries, Sweden writes it in the order that sorts.
  return new Date(seconds * 1000).toLocaleString("sv-SE");
}

export function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

export function bytes(count) {
  return count < 1000 ? `${count} B` : `${(count / 1000).toFixed(1)} kB`;
}

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
