// The console's maps: places beside their table, and squares where searches found nothing. The table says the same.

import { make } from "../chat/show.js";
import { ground, leaflet } from "../map_ground.js";

const view = document.getElementById("map");
const data = JSON.parse(document.getElementById("map-data").textContent);

try {
  const L = await leaflet();
  view.hidden = false;
  draw(L);
} catch {
  view.hidden = true;
}

function draw(L) {
  const [middle] = data.landmarks;
  const map = L.map(view).setView([middle.lat, middle.lng], 10);
  ground(L, map, data);
  const drawn = [...(data.points ?? []).map((one) => point(L, map, one)), ...(data.squares ?? []).map((one) => square(L, map, one))];
  if (drawn.length) map.fitBounds(L.featureGroup(drawn).getBounds().pad(0.15), { maxZoom: 15 });
  if (data.more) others(L, map, drawn);
  const near = () => view.classList.toggle("near", map.getZoom() >= 12);
  map.on("zoomend", near);
  near();
}

// The places on other pages of the table, as dots that one canvas holds.
async function others(L, map, drawn) {
  const known = new Set(data.points.map((one) => one.code));
  const answer = await fetch(data.more).then((response) => response.json()).catch(() => ({ points: [], note: "" }));
  const renderer = L.canvas({ padding: 0.5 });
  const dots = answer.points.filter((one) => !known.has(one.code)).map((one) => dot(L, map, one, renderer));
  if (dots.length) map.fitBounds(L.featureGroup([...drawn, ...dots]).getBounds().pad(0.05), { maxZoom: 15 });
  document.getElementById("map-note").textContent = answer.note;
}

// A canvas knows no style sheet: the colours of the page are read from it.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const DOTS = {
  published: () => ({ radius: 4, weight: 1, color: colour("--ink"), fillColor: colour("--accent"), fillOpacity: 1 }),
  doubtful: () => ({ radius: 4, weight: 3, color: colour("--accent"), fillColor: colour("--surface"), fillOpacity: 1 }),
  closed: () => ({ radius: 4, weight: 1, color: colour("--ink"), fillColor: colour("--soft"), fillOpacity: 1 }),
  hidden: () => ({ radius: 4, weight: 1, dashArray: "2", color: colour("--soft"), fillColor: colour("--surface"), fillOpacity: 1 }),
};

function dot(L, map, one, renderer) {
  const marker = L.circleMarker([one.lat, one.lng], { ...(DOTS[one.state] ?? DOTS.hidden)(), renderer }).addTo(map);
  return marker.bindPopup(() => make("p", {}, make("a", { href: one.href }, one.name)));
}

// Where a row's link or the pointer is, its marker stands out.
function point(L, map, one) {
  const icon = L.divIcon({ className: `spot spot-${one.state}`, html: make("span"), iconSize: [24, 24] });
  const marker = L.marker([one.lat, one.lng], { icon, title: one.name, alt: one.name, keyboard: false }).addTo(map);
  marker.bindPopup(make("p", {}, make("a", { href: one.href }, one.name)));
  const row = document.querySelector(`tr[data-code="${CSS.escape(one.code)}"]`);
  const show = (shown) => {
    marker.getElement().classList.toggle("here", shown);
    marker.setZIndexOffset(shown ? 1000 : 0);
  };
  for (const event of ["mouseenter", "focusin"]) row?.addEventListener(event, () => show(true));
  for (const event of ["mouseleave", "focusout"]) row?.addEventListener(event, () => show(false));
  return marker;
}

function square(L, map, one) {
  const shape = L.polygon(one.corners, { className: "square", weight: 2, fillOpacity: 0.15 + 0.6 * one.share }).addTo(map);
  shape.bindTooltip(String(one.count), { permanent: true, direction: "center", className: "square-count" });
  const lines = one.lines.map((line) => make("li", {}, line));
  // From afar a square is too small to see.
  L.circleMarker(shape.getBounds().getCenter(), { className: "square-mark", radius: 5 + 6 * one.share, interactive: false }).addTo(map);
  return shape.bindPopup(make("ul", { class: "square-lines" }, ...lines));
}
