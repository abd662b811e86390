// Messages as elements: bubbles, place cards and buttons. Nothing that was heard is ever parsed as HTML.

const ELSEWHERE = { target: "_blank", rel: "noopener noreferrer" };
const SENTENCE = /[。.！!？?；;]$/;
const ADDRESS = /(https?:\/\/[^\s，。；、）)”]+)/;
const PICTURE = /^data:image\/(png|jpeg);base64,/;

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function fill(words, values) {
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function distance(metres, words) {
  if (metres < 1000) return fill(words.metres, { n: Math.max(10, Math.round(metres / 10) * 10) });
  const kilometres = metres / 1000;
  return fill(words.kilometres, { n: kilometres < 10 ? kilometres.toFixed(1) : Math.round(kilometres) });
}

export function ownBubble(text, words) {
  return make("div", { class: "turn own" }, said(words.you), make("p", { class: "bubble" }, text));
}

export function notice(text, ...children) {
  return make("div", { class: "notice" }, make("p", {}, text), ...children);
}

// `on` has press(button) and locate().
export function botBubble(message, words, on) {
  const turn = make("div", { class: "turn bot" }, said(words.bot));
  const places = message.places ?? [];
  const rows = (message.buttons ?? []).map((row) => row.map((button) => ({ ...button, isMain: isMain(button, row, message) })));
  const parts = places.length ? split(message.text, places) : null;
  if (parts || places.length > 1) {
    turn.append(bubble(parts ? parts.head : message.text), cardsOf(places, parts, rows, words, on));
    if (parts?.foot) turn.append(bubble(parts.foot));
  } else {
    turn.append(bubble(spared(message.text, rows), places.length > 0, message.photo, words));
  }
  const left = rows.filter((row) => row.length);
  if (left.length) turn.append(make("div", { class: "choices" }, ...left.map((row) => rowOf(row, words, on))));
  return turn;
}

// Who speaks, for those who do not see on which side a bubble stands.
function said(words) {
  return make("span", { class: "unseen" }, `${words} `);
}

// The first line of several is a title, unless it is a sentence.
function bubble(text, isTitled, photo, words) {
  const [first, ...rest] = text.split("\n");
  const element = make("div", { class: "bubble" });
  if (rest.length && (isTitled || !SENTENCE.test(first))) {
    element.append(make("strong", {}, first), ...linked(`\n${rest.join("\n")}`));
  } else element.append(...linked(text));
  if (PICTURE.test(photo)) element.append(make("img", { src: photo, alt: words.picture }));
  return element;
}

// Addresses in a text can be tapped.
function linked(text) {
  return text.split(ADDRESS).map((part, i) => (i % 2 ? make("a", { href: part, ...ELSEWHERE }, part) : part));
}

// What people come for: to send where they are, the way to a place, a number to call in danger.
function isMain(button, row, { places, buttons }) {
  if (places?.length) return button.url && row === buttons[0] && button === row[0];
  return button.ask || button.url?.startsWith("tel:");
}

// A text without the lines below its first that its buttons say anyway: they are for those who have no buttons.
function spared(text, rows) {
  const labels = new Set(rows.flat().map((button) => button.label.toLowerCase()));
  return text.split("\n").filter((line, i) => !i || !labels.has(line.trim().toLowerCase())).join("\n").trim();
}

// A list says a title, then some lines for each place that begin with its number and name; each card takes its own lines.
function split(text, places) {
  const lines = text.split("\n");
  const starts = [];
  let from = 0;
  for (const place of places) {
    const at = lines.findIndex((line, i) => i >= from && /^\d+\. /.test(line) && line.includes(place.name));
    if (at < 0) return null;
    starts.push(at);
    from = at + 1;
  }
  const own = starts.map((start, i) => lines.slice(start + 1, starts[i + 1] ?? lines.length));
  const last = own[own.length - 1];
  const gap = last.findIndex((line) => !line.trim());
  const foot = gap < 0 ? [] : last.splice(gap).filter((line) => line.trim());
  return {
    head: lines.slice(0, starts[0]).join("\n").trim(),
    names: starts.map((start) => lines[start].trim()),
    own: own.map((some) => some.map((line) => line.trim()).filter(Boolean)),
    foot: foot.join("\n"),
  };
}

function cardsOf(places, parts, rows, words, on) {
  const items = places.map((place, i) => {
    const [name, ...opening] = (parts?.names[i] ?? place.name).split(" · ");
    const [first = "", ...more] = parts?.own[i] ?? [];
    const [way, ...offers] = first.split(" · ");
    const card = make("li", { class: "card" }, make("h3", {}, name), facts(place, words, opening.join(" · "), way));
    const lines = [offers.join(" · "), ...more].filter(Boolean);
    if (lines.length) card.append(make("p", { class: "lines" }, lines.join("\n")));
    const number = /^\d+/.exec(name)?.[0] ?? String(i + 1);
    const buttons = take(rows, number).map((button) => cardButton(button, place, words, on));
    if (place.navigate) buttons.push(linkOf({ label: words.navigate, url: place.navigate, isMain: true }, place.name));
    if (buttons.length) card.append(make("div", { class: "row" }, ...buttons));
    return card;
  });
  return make("ul", { class: "cards" }, ...items);
}

// A list's buttons begin with the number of the place that they are about; they move into its card.
function take(rows, number) {
  const isIts = (button) => button.press && new RegExp(`^${number}(\\D|$)`).test(button.label);
  const found = rows.flat().filter(isIts);
  for (const row of rows) row.splice(0, row.length, ...row.filter((button) => !isIts(button)));
  return found;
}

function cardButton(button, place, words, on) {
  const label = `${words.details}: ${place.name}`;
  const press = () => on.press({ ...button, label: place.name });
  return make("button", { type: "button", "aria-label": label, onclick: press }, words.details);
}

// Whether it is open, and the way there as the text says it, else as far as it is.
function facts(place, words, opening, way) {
  const state = ["yes", "no"].includes(place.open) ? place.open : "unknown";
  const list = make("p", { class: "facts" }, make("span", { class: `fact open-${state}` }, opening || words[`open_${state}`]));
  const far = way || (Number.isFinite(place.distance_m) && distance(place.distance_m, words));
  if (far) list.append(" ", make("span", { class: "way" }, far));
  return list;
}

function rowOf(row, words, on) {
  return make("div", { class: "row" }, ...row.map((button) => buttonOf(button, words, on)));
}

function buttonOf(button, words, on, about) {
  if (button.url) return linkOf(button, about);
  const press = () => (button.ask === "location" ? on.locate() : on.press(button));
  return make("button", { type: "button", class: button.isMain ? "strong" : undefined, onclick: press }, ...parted(button.label));
}

// A long label breaks between its parts sooner than inside of one.
function parted(label) {
  const parts = label.split(" · ");
  const last = parts.length - 1;
  return last ? [make("span", {}, ...parts.flatMap((part, i) => [make("span", { class: "part" }, i < last ? `${part} ·` : part), " "]))] : [label];
}

function linkOf(button, about) {
  const scheme = button.url.split(":", 1)[0].toLowerCase();
  if (!["http", "https", "tel", "geo"].includes(scheme)) return null;
  const isPage = scheme.startsWith("http");
  const label = about ? `${button.label}: ${about}` : undefined;
  return make(
    "a",
    { class: button.isMain ? "button strong" : "button", href: button.url, "aria-label": label, ...(isPage && ELSEWHERE) },
    button.label,
  );
}
