// The page's behaviour: take a picture by file, drop, paste or address, ask /v1/trace, and say what it answered.
import { texts } from "./texts.js";

const $ = (id) => document.getElementById(id);
const LANGUAGES = { en: "en", zh: "zh-Hans" };
let language = navigator.languages.map((one) => one.slice(0, 2).toLowerCase()).find((one) => one in texts) ?? "en";
let about = { max_bytes: Infinity, max_pixels: 0, formats: [], false_positive_rate: 1e-6, feedback: false };
let shown = () => {}; // draws again what is on the screen, in another language
let under = null; // the request under way
let token = "";
let mapped = ""; // address of the map that was answered

function say(key, values = {}) {
  const all = { megabytes: Math.floor((10 * about.max_bytes) / 2 ** 20) / 10, pixels: compact(about.max_pixels),
    formats: names(), ...values };
  return (texts[language][key] ?? texts[language]["error-other"]).replace(/\{(\w+)\}/g, (_, name) => all[name] ?? "–");
}

function compact(number) {
  return new Intl.NumberFormat(LANGUAGES[language], { notation: "compact", compactDisplay: "long" }).format(number);
}

function names() {
  const kinds = ["JPEG", "PNG", "WebP", "AVIF", "TIFF", "HEIC", "JXL"];
  return kinds.filter((one) => about.formats.includes(`.${one.toLowerCase()}`)).join(", ");
}

function speak(chosen) {
  language = chosen;
  document.documentElement.lang = LANGUAGES[language];
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = say(one.dataset.text);
  for (const one of document.querySelectorAll("[data-language]")) one.setAttribute("aria-pressed", one.dataset.language === language);
  $("limits").textContent = about.formats.length ? say("limits") : "";
  shown();
}

function show(...visible) {
  for (const name of ["wait", "problem", "answer"]) $(name).hidden = !visible.includes(name);
}

function fail(key) {
  shown = () => { $("problem-text").textContent = say(key); };
  shown();
  show("problem");
}

function headers() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

// ---- asking

function askFile(file) {
  if (!file) return;
  if (file.size > about.max_bytes) return fail("error-too-large");
  if (file.size === 0) return fail("error-empty");
  ask(file, "application/octet-stream", URL.createObjectURL(file));
}

function askAddress(text) {
  const url = text.trim();
  if (!/^https:\/\/[^\s]+$/i.test(url)) return fail("error-bad-address");
  ask(JSON.stringify({ url }), "application/json", null);
}

function ask(body, type, preview) {
  under?.abort();
  const request = (under = new XMLHttpRequest()); // fetch tells no progress of an upload
  const stage = (percent) => {
    shown = () => { $("stage").textContent = percent < 100 ? say("sending", { percent }) : say("looking"); };
    shown();
    if (percent < 100) $("progress").value = percent;
    else $("progress").removeAttribute("value");
  };
  request.upload.onprogress = (event) => stage(Math.floor((100 * event.loaded) / event.total));
  request.onload = () => {
    let said = {};
    try { said = JSON.parse(request.responseText); } catch { /* a proxy's own page */ }
    if (request.status === 200) answer(said, request.getResponseHeader("X-Request-ID"), preview);
    else fail(`error-${said.title in byTitle ? byTitle[said.title] : said.title}`);
    if (request.status === 401) $("token-form").hidden = false;
  };
  request.onerror = () => fail("error-network");
  request.onabort = () => { if (under === request) fail("cancelled"); };
  request.open("POST", "v1/trace");
  request.setRequestHeader("Content-Type", type);
  for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
  stage(preview ? 0 : 100);
  show("wait");
  request.send(body);
}

const byTitle = { "worker-lost": "busy", "bad-request": "bad-address", "bad-form": "other", internal: "other" };

// ---- answering

function answer(said, number, preview) {
  URL.revokeObjectURL(mapped);
  const bytes = Uint8Array.from(atob(said.map ?? ""), (one) => one.charCodeAt(0));
  mapped = URL.createObjectURL(new Blob([bytes], { type: "image/webp" }));
  shown = () => draw(said);
  shown();
  const image = $("preview");
  if (image.src) URL.revokeObjectURL(image.src);
  image.hidden = true;
  image.onload = () => { image.hidden = false; };
  if (preview) image.src = preview;
  else image.removeAttribute("src");
  $("feedback").hidden = !about.feedback;
  $("feedback").dataset.request = number;
  $("feedback").querySelector("fieldset").hidden = false;
  $("comment").value = $("thanks").textContent = "";
  show("answer");
  $("verdict").focus(); // a screen reader reads on from here
  $("answer").scrollIntoView({ block: "nearest" });
}

function draw(said) {
  const kind = { match: "match", "marked, not attributed": "marked" }[said.answer] ?? (said.rests_on.length ? "metadata" : "nothing");
  $("preview").alt = say("preview");
  const [before, after] = say(kind, { producer: "\n" }).split("\n");
  $("verdict").replaceChildren(before, ...(after === undefined ? [] : [made("code", said.producer), after]));
  const facts = [["rests", said.rests_on.length ? said.rests_on.map((one) => say(`rests-${one}`)).join(say("and")) : say("rests-nothing")]];
  if (said.answer === "match") facts.push(["record", say("recordText", { number: said.number, date: day(said.issued_at) }), say("codeText")]);
  for (const one of said.labels.slice(0, 3)) facts.push(["labelled", labelled(one), agreement(said)]);
  facts.push(["sure", sure(said)]);
  facts.push(["class", say(`class-${said.measures_class}`)]);
  if (said.parts) facts.push(["parts", say("partsText", shares(said.parts)), say("partsColours")]);
  $("facts").replaceChildren(...facts.flatMap(([key, value, more]) => fact(say(key), value, more)));
  if (said.map) $("facts").lastChild.append(Object.assign(made("img"), { id: "map", src: mapped, alt: say("partsText", shares(said.parts)) }));
  $("notice").textContent = say("notice");
}

function fact(name, value, more) {
  const dd = made("dd", value);
  if (more) dd.append(made("br"), made("small", more));
  return [made("dt", name), dd];
}

function made(tag, text = "") {
  return Object.assign(document.createElement(tag), { textContent: text }); // never as HTML: labels are a stranger's words
}

function shares(parts) {
  return Object.fromEntries(Object.entries(parts).map(([name, share]) => [name, (100 * share).toFixed(1)]));
}

function labelled(label) {
  const meaning = say(["1", "2", "3"].includes(label.label) ? `label-${label.label}` : "label-other");
  return label.label ? say("labelText", { meaning, producer: cut(label.producer), number: cut(label.number) }) : meaning;
}

function cut(text) {
  return text && text.length > 60 ? `${text.slice(0, 60)}…` : text || "–";
}

function agreement(said) {
  return said.metadata_agrees === null ? "" : say(said.metadata_agrees ? "agrees" : "contradicts");
}

function sure(said) {
  const digits = new Intl.NumberFormat(LANGUAGES[language]);
  if (!said.at_most_one_in) return say("sureNothing", { one: digits.format(Math.round(1 / about.false_positive_rate)) });
  const p = "log10_p" in said ? said.log10_p : -Math.log10(said.at_most_one_in);
  return say("sureText", { words: say(`sure-${said.at_most_one_in}`), one: digits.format(said.at_most_one_in), p: power(p) });
}

function power(log10) {
  const small = { "-": "⁻", ".": "·", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  return `10${[...String(Math.ceil(log10))].map((one) => small[one]).join("")}`;
}

function day(text) {
  return new Intl.DateTimeFormat(LANGUAGES[language], { dateStyle: "long", timeZone: "UTC" }).format(new Date(text));
}

// ---- what people do

$("file").addEventListener("change", (event) => { askFile(event.target.files[0]); event.target.value = ""; });
$("url-form").addEventListener("submit", (event) => { event.preventDefault(); askAddress($("url").value); });
$("cancel").addEventListener("click", () => under?.abort());
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (file) { event.preventDefault(); askFile(file); }
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); document.body.classList.add("over"); });
}
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) askFile(file);
});
for (const one of document.querySelectorAll("[data-language]")) {
  one.addEventListener("click", () => speak(one.dataset.language));
}
$("feedback").addEventListener("submit", async (event) => {
  event.preventDefault();
  const content = { request_id: event.target.dataset.request, verdict: event.submitter.value, comment: $("comment").value };
  const init = { method: "POST", headers: { "Content-Type": "application/json", ...headers() }, body: JSON.stringify(content) };
  const response = await fetch("v1/feedback", init).catch(() => null);
  $("thanks").textContent = say(response?.ok ? "thanks" : response?.status === 429 ? "error-too-many" : "error-network");
  if (response?.ok) event.target.querySelector("fieldset").hidden = true;
});
$("token-form").addEventListener("submit", (event) => { event.preventDefault(); token = $("token").value; begin(); });

async function begin() {
  const response = await fetch("v1/about", { headers: headers() }).catch(() => null);
  if (response?.ok) {
    about = await response.json();
    $("token-form").hidden = true;
    show();
  } else fail(response?.status === 401 ? "error-unauthorised" : "error-network");
  if (response?.status === 401) $("token-form").hidden = false;
  $("url-form").hidden = !about.fetches;
  speak(language);
}

speak(language);
begin();
