// The chat page: what is typed, tapped and heard.

import { Connection } from "./connection.js";
import { memory } from "./memory.js";
import { small } from "./photo.js";
import { PinMap } from "./pin.js";
import { botBubble, make, notice, ownBubble } from "./show.js";

const { words, language, map, inWeChat } = JSON.parse(document.getElementById("page").textContent);
const log = document.getElementById("log");
const banner = document.getElementById("banner");
const form = document.getElementById("say");
const input = document.getElementById("words");
const more = document.getElementById("more");
const shown = new Map(); // entries by name: "m123" for a message, "k…" for own words
const typing = make("div", { class: "typing", "aria-hidden": "true", hidden: true }, make("i"), make("i"), make("i"));

const does = { press: (button) => say({ press: button.press }, button.label), locate };
const pinMap = new PinMap(map, words, {
  use: (point) => say({ location: point }, `📍 ${words.map_location}`),
  failed: () => tell(words.no_map),
});

setLarge(memory.large);
for (const entry of memory.log) show(entry);
log.append(typing);
toEnd();
log.setAttribute("aria-live", "polite");

let answer; // the first message of the answer that is coming

const connection = new Connection({ message: hear, state, settled, refused, speaks, began, erased }, language);
for (const frame of connection.pending) shown.get(`k${frame.key}`)?.classList.add("waiting");
memory.onChange((entries) => entries.length ? entries.forEach(show) : empty(), () => { connection.rest(); empty(); });
openPlace();

function hear(message) {
  const element = show({ name: `m${message.id}`, message });
  memory.add({ name: `m${message.id}`, message });
  if (element) lookAt(element);
}

// The last words of a conversation: they are seen once, and nothing that was said before them is left.
function erased(message) {
  memory.erase();
  empty();
  waiting();
  typing.before(botBubble(message, words, does));
}

function say(frame, label) {
  const key = connection.send(frame);
  const entry = { name: `k${key}`, own: label };
  const element = show(entry);
  element.classList.add("waiting");
  memory.add(entry);
  waiting();
  toEnd();
}

function show(entry) {
  if (shown.has(entry.name)) return null;
  const element = entry.own === undefined ? botBubble(entry.message, words, does) : ownBubble(entry.own, words);
  shown.set(entry.name, element);
  if (typing.isConnected) typing.before(element);
  else log.append(element);
  return element;
}

function tell(text, ...children) {
  const element = notice(text, ...children);
  typing.before(element);
  toEnd();
  return element;
}

function settled(key) {
  shown.get(`k${key}`)?.classList.remove("waiting");
  if (!connection.pending.length) answer = null;
  waiting();
}

function refused(error, key) {
  settled(key);
  tell(error.message);
}

// Who chose another language in the chat reads the page in it too; what is said meanwhile is shown after it loaded.
function speaks(chosen) {
  if (chosen !== language) location.replace(`/?lang=${chosen}`);
}

// The first words of a new conversation are the bot's; the buttons of an older one would lead nowhere.
function began() {
  if (memory.log.some((entry) => entry.message)) {
    memory.clear();
    empty();
  }
  connection.begin({ text: "/start" });
}

function state(name) {
  const was = banner.dataset.state;
  banner.dataset.state = name;
  clearTimeout(state.timer);
  if (name === "online") {
    if (was && was !== "online" && !banner.hidden) banner.textContent = words.back;
    state.timer = setTimeout(() => { banner.hidden = true; }, 1200);
    return;
  }
  // A blink of the network is not worth a word.
  state.timer = setTimeout(() => {
    banner.textContent = name === "offline" ? words.offline : words.connecting;
    banner.hidden = false;
  }, name === "offline" ? 0 : 900);
}

function waiting() {
  clearTimeout(waiting.timer);
  if (!connection.pending.length) typing.hidden = true;
  else waiting.timer = setTimeout(() => { typing.hidden = !(connection.isReady && connection.pending.length); toEnd(); }, 350);
}

function toEnd() {
  log.scrollTop = log.scrollHeight;
}

// An answer that is taller than the window is read from its top.
function lookAt(element) {
  const isAnswer = connection.pending.length > 0;
  const first = isAnswer && answer?.isConnected ? answer : element;
  answer = isAnswer ? first : null;
  const height = element.getBoundingClientRect().bottom - first.getBoundingClientRect().top;
  if (height > log.clientHeight) first.scrollIntoView({ block: "start" });
  else toEnd();
}

function locate() {
  if (inWeChat) return locateByWeChat();
  return locateByBrowser();
}

// What WeChat refuses to sign or cannot load, the browser inside it may still know.
async function locateByWeChat() {
  const hint = tell(words.locating);
  try {
    const { position } = await import("./wechat.js");
    const point = await position();
    hint.remove();
    say({ location: point }, `📍 ${words.my_location}`);
  } catch (reason) {
    hint.remove();
    if (reason === "denied") pinMap.show(words.denied);
    else locateByBrowser();
  }
}

async function showOnMap(link) {
  try {
    const { openMap } = await import("./wechat.js");
    if (await openMap(link)) return;
  } catch {
    // The map's own page shows it as well.
  }
  location.assign(link);
}

function locateByBrowser() {
  if (!navigator.geolocation || !window.isSecureContext) return pinMap.show(words.no_gps);
  const hint = tell(words.locating);
  const found = ({ coords }) => {
    hint.remove();
    say({ location: { lat: coords.latitude, lng: coords.longitude, datum: "wgs84" } }, `📍 ${words.my_location}`);
  };
  const failed = (error) => {
    hint.remove();
    pinMap.show(error.code === error.PERMISSION_DENIED ? words.denied : words.not_found);
  };
  return navigator.geolocation.getCurrentPosition(found, failed, { enableHighAccuracy: true, timeout: 10000, maximumAge: 30000 });
}

async function shoot(file) {
  try {
    say({ photo: await small(file) }, `📷 ${words.a_photo}`);
  } catch {
    tell(words.photo_failed);
  }
}

// A poster on a door opens the page with the place it hangs at.
function openPlace() {
  const here = new URL(location.href);
  const code = here.searchParams.get("place");
  if (!code) return;
  here.searchParams.delete("place");
  history.replaceState(null, "", here);
  connection.send({ text: `/p ${code.slice(0, 64)}` });
}

function setLarge(on) {
  memory.large = on;
  document.documentElement.classList.toggle("large", on);
  document.getElementById("large").setAttribute("aria-pressed", String(on));
}

function empty() {
  for (const element of shown.values()) element.remove();
  shown.clear();
}

function fit() {
  input.style.height = "auto";
  input.style.height = `${Math.min(input.scrollHeight, window.innerHeight * 0.3)}px`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text) return input.focus();
  say({ text }, text);
  input.value = "";
  // The button goes away with the words: a keyboard's focus stays with the field.
  if (event.submitter?.matches(":focus-visible")) input.focus();
  return fit();
});
input.addEventListener("input", fit);
input.addEventListener("keydown", (event) => {
  // While an input method composes, Enter belongs to it; 229 is what older ones report.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  form.requestSubmit();
});
for (const button of document.querySelectorAll("[data-say]")) {
  button.addEventListener("click", () => {
    more.open = false;
    say({ text: button.dataset.say }, button.textContent.trim());
  });
}
document.getElementById("locate").addEventListener("click", locate);
log.addEventListener("click", (event) => {
  const link = inWeChat && event.target.closest('a[href^="https://uri.amap.com/"]');
  if (!link) return;
  event.preventDefault();
  showOnMap(link.href);
});
const picker = document.getElementById("photo");
document.getElementById("shoot").addEventListener("click", () => picker.click());
picker.addEventListener("change", () => {
  if (picker.files[0]) shoot(picker.files[0]);
  picker.value = "";
});
document.getElementById("large").addEventListener("click", () => setLarge(!memory.large));
document.getElementById("clear").addEventListener("click", () => {
  if (!confirm(words.clear_sure)) return;
  memory.clear();
  empty();
  more.open = false;
  tell(words.cleared);
});
document.addEventListener("click", (event) => { if (!more.contains(event.target)) more.open = false; });
more.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  more.open = false;
  more.querySelector("summary").focus();
});
