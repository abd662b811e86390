// What every map lies on: tiles where there are any, else a grid and the names of the county seats.

import { make } from "./chat/show.js";

const vendor = (name) => new URL(`vendor/leaflet/${name}`, import.meta.url).href;

// `config` has tiles, attribution and landmarks, all in the datum of the tiles.
export function ground(L, map, config) {
  map.attributionControl.setPrefix("Leaflet");
  L.control.scale({ imperial: false }).addTo(map);
  if (config.tiles) L.tileLayer(config.tiles, { attribution: config.attribution, maxZoom: 19 }).addTo(map);
  else grid(L, config.landmarks).addTo(map);
}

let loading;

export function leaflet() {
  loading ??= new Promise((resolve, reject) => {
    document.head.append(make("link", { rel: "stylesheet", href: vendor("leaflet.css") }));
    document.head.append(make("script", { src: vendor("leaflet.js"), onload: () => resolve(window.L), onerror: reject }));
  });
  loading.catch(() => { loading = undefined; });
  return loading;
}

// Without tiles: lines every tenth of a degree, and the names of the county seats.
function grid(L, landmarks) {
  const group = L.layerGroup();
  const lats = landmarks.map((mark) => mark.lat);
  const lngs = landmarks.map((mark) => mark.lng);
  const box = { south: Math.min(...lats) - 0.5, north: Math.max(...lats) + 0.5, west: Math.min(...lngs) - 0.6, east: Math.max(...lngs) + 0.6 };
  const line = (points) => L.polyline(points, { className: "grid-line", interactive: false, weight: 1 }).addTo(group);
  for (let lat = Math.ceil(box.south * 10) / 10; lat <= box.north; lat += 0.1) line([[lat, box.west], [lat, box.east]]);
  for (let lng = Math.ceil(box.west * 10) / 10; lng <= box.east; lng += 0.1) line([[box.south, lng], [box.north, lng]]);
  for (const mark of landmarks.slice(1)) {
    const label = make("span", {}, mark.name);
    const icon = L.divIcon({ className: "seat", html: label, iconSize: null });
    L.marker([mark.lat, mark.lng], { icon, interactive: false, keyboard: false }).addTo(group);
  }
  return group;
}
