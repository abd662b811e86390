// Inside WeChat the page asks WeChat where its reader is, and opens WeChat's own map; elsewhere this is not loaded.

const SCRIPT = "https://res.wx.qq.com/open/js/jweixin-1.6.0.js";
const SIGNED = "/wechat/js-sdk";
const PATIENCE = 8000; // ms

let ready;

// Where the reader is, GCJ-02 as WeChat knows it; rejects with "denied" or "failed".
export async function position() {
  const wx = await sdk();
  return new Promise((resolve, reject) => {
    wx.getLocation({
      type: "gcj02",
      success: ({ latitude, longitude }) => resolve({ lat: Number(latitude), lng: Number(longitude), datum: "gcj02" }),
      cancel: () => reject("denied"),
      fail: () => reject("failed"),
    });
  });
}

// Shows the place that a link of the Amap map names, which is GCJ-02 as WeChat wants it; false if that cannot be.
export async function openMap(link) {
  const address = new URL(link);
  const [longitude, latitude] = (address.searchParams.get("position") ?? "").split(",").map(Number);
  if (!Number.isFinite(latitude) || address.searchParams.get("coordinate") !== "gaode") return false;
  const wx = await sdk();
  return new Promise((resolve) => {
    const name = address.searchParams.get("name") ?? "";
    wx.openLocation({ latitude, longitude, name, scale: 16, success: () => resolve(true), fail: () => resolve(false) });
  });
}

function sdk() {
  ready ??= load();
  ready.catch(() => { ready = undefined; });
  return ready;
}

async function load() {
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: SCRIPT, onload: resolve, onerror: () => reject("failed") });
    document.head.append(script);
  });
  const page = location.href.split("#")[0];
  const answer = await fetch(`${SIGNED}?${new URLSearchParams({ url: page })}`, { signal: AbortSignal.timeout?.(PATIENCE) });
  if (!answer.ok) throw "failed";
  const wx = window.jWeixin ?? window.wx;
  wx.config({ ...(await answer.json()), jsApiList: ["getLocation", "openLocation"] });
  return new Promise((resolve, reject) => {
    setTimeout(() => reject("failed"), PATIENCE);
    wx.ready(() => resolve(wx));
    wx.error(() => reject("failed"));
  });
}
