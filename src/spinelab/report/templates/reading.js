(() => {
  const svg = document.getElementById("film"), tools = document.getElementById("tools");
  const [x0, y0, w0, h0] = svg.getAttribute("viewBox").split(" ").map(Number), texts = svg.querySelectorAll("text");
  let zoom = 1, cx = x0 + w0 / 2, cy = y0 + h0 / 2;
  const show = () => {
    zoom = Math.min(Math.max(zoom, 1), 16);
    const w = w0 / zoom, h = h0 / zoom;
    cx = Math.min(Math.max(cx, x0 + w / 2), x0 + w0 - w / 2); cy = Math.min(Math.max(cy, y0 + h / 2), y0 + h0 - h / 2);
    svg.setAttribute("viewBox", [cx - w / 2, cy - h / 2, w, h].join(" "));
    svg.classList.toggle("zoomed", zoom > 1);
    texts.forEach(t => t.style.fontSize = t.getAttribute("font-size") / Math.sqrt(zoom) + "px");
  };
  const at = e => { const p = new DOMPoint(e.clientX, e.clientY).matrixTransform(svg.getScreenCTM().inverse()); return [p.x, p.y]; };
  const toward = (e, f) => { const [x, y] = at(e), old = zoom; zoom = Math.min(Math.max(zoom * f, 1), 16); cx = x + (cx - x) * old / zoom; cy = y + (cy - y) * old / zoom; show(); };
  const step = f => { zoom *= f; show(); }, fit = () => { zoom = 1; show(); };
  svg.addEventListener("wheel", e => { if (e.ctrlKey || zoom > 1) { e.preventDefault(); toward(e, Math.exp(-e.deltaY / 400)); } }, { passive: false });
  svg.addEventListener("dblclick", e => toward(e, 2));
  let held = null;
  svg.addEventListener("pointerdown", e => { if (zoom > 1) { held = at(e); svg.setPointerCapture(e.pointerId); svg.classList.add("held"); } });
  svg.addEventListener("pointermove", e => { if (held) { const [x, y] = at(e); cx += held[0] - x; cy += held[1] - y; show(); } });
  ["pointerup", "pointercancel"].forEach(n => svg.addEventListener(n, () => { held = null; svg.classList.remove("held"); }));
  svg.addEventListener("keydown", e => {
    const d = 0.1 / zoom, go = { ArrowLeft: [-d, 0], ArrowRight: [d, 0], ArrowUp: [0, -d], ArrowDown: [0, d] }[e.key];
    if (go && zoom > 1) { cx += go[0] * w0; cy += go[1] * h0; show(); } else if (e.key === "+") step(1.5); else if (e.key === "-") step(1 / 1.5); else if (e.key === "0") fit(); else return;
    e.preventDefault();
  });
  tools.hidden = false;
  document.getElementById("closer").onclick = () => step(1.5);
  document.getElementById("farther").onclick = () => step(1 / 1.5);
  document.getElementById("whole").onclick = fit;
  const picture = svg.querySelector("image"), light = document.getElementById("light"), contrast = document.getElementById("contrast");
  [light, contrast].forEach(i => i.oninput = () => picture.style.filter = `brightness(${light.value}%) contrast(${contrast.value}%)`);
  const marks = [...svg.querySelectorAll("[data-q]")];
  const light_up = q => { const any = q && marks.some(m => m.dataset.q === q); marks.forEach(m => { m.classList.toggle("lit", any && m.dataset.q === q); m.classList.toggle("dim", any && m.dataset.q !== q); }); };
  let chosen = null;
  document.querySelectorAll("tr[data-q]").forEach(row => {
    row.addEventListener("mouseenter", () => light_up(row.dataset.q));
    row.addEventListener("mouseleave", () => light_up(chosen && chosen.dataset.q));
    row.addEventListener("focus", () => light_up(row.dataset.q));
    row.addEventListener("blur", () => light_up(chosen && chosen.dataset.q));
    row.addEventListener("click", () => { chosen && chosen.classList.remove("chosen"); chosen = chosen === row ? null : row; chosen && row.classList.add("chosen"); light_up(chosen && row.dataset.q); });
  });
})();
