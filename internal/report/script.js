"use strict";
// Without this script the page loses nothing but the values under the pointer
// and the copy buttons.
(() => {
  const timeline = document.querySelector(".timeline");
  const short = (v) => v === 0 ? "0" : Number(v.toPrecision(3)).toLocaleString("en", {maximumFractionDigits: 6, useGrouping: false});
  const data = (v) => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let i = 0;
    for (; Math.abs(v) >= 999.5 && i < units.length - 1; i++) v /= 1000;
    return short(v) + "\u00a0" + units[i];
  };
  const words = {
    "s": (v) => v < 0.0009995 ? short(v * 1e6) + "\u00a0µs" : v < 0.9995 ? short(v * 1e3) + "\u00a0ms" : short(v) + "\u00a0s",
    "%": (v) => short(v) + "\u00a0%",
    "cpu": (v) => short(v) + "\u00a0CPUs",
    "By": data,
    "By/s": (v) => data(v) + "/s",
    "1/s": (v) => short(v) + "/s",
  };
  // parse turns path data into stretches of [x, y, x, y, ...].
  const parse = (d) => d.split("M").filter(Boolean).map((part) => part.split(/[L,]/).map(Number));
  const heightAt = (stretches, x) => {
    for (const p of stretches) {
      const n = p.length;
      if (x < p[0] - 3 || x > p[n - 2] + 3) continue;
      let i = 2;
      while (i < n && p[i] < x) i += 2;
      if (i >= n) return p[n - 1];
      const f = p[i] === p[i - 2] ? 1 : Math.min(1, Math.max(0, (x - p[i - 2]) / (p[i] - p[i - 2])));
      return p[i - 1] + f * (p[i + 1] - p[i - 1]);
    }
    return null;
  };

  const lanes = timeline ? [...timeline.querySelectorAll(".plot")].map((plot) => {
    const lo = Number(plot.dataset.lo), hi = Number(plot.dataset.hi), log = "log" in plot.dataset;
    const labels = [...plot.closest(".lane").querySelectorAll(".legend b")];
    return {
      plot,
      labels: labels.map((node) => ({node, usual: node.textContent})),
      lines: null,
      say: words[plot.dataset.unit] || short,
      value: (y) => log ? lo * Math.pow(hi / lo, 1 - y / 100) : lo + (hi - lo) * (1 - y / 100),
    };
  }) : [];
  const canvases = timeline ? [...timeline.querySelectorAll(".lane .canvas")] : [];
  const cursors = canvases.map((canvas) => {
    const line = document.createElement("div");
    line.className = "cursor";
    line.hidden = true;
    canvas.append(line);
    return line;
  });
  const show = (f) => {
    const from = Number(timeline.dataset.from), to = Number(timeline.dataset.to);
    timeline.querySelector(".when").textContent = new Date(from + f * (to - from)).toISOString().slice(11, 19);
    for (const line of cursors) {
      line.hidden = false;
      line.style.left = 100 * f + "%";
    }
    for (const lane of lanes) {
      lane.lines ||= [...lane.plot.querySelectorAll("path.line")].map((p) => parse(p.getAttribute("d")));
      lane.labels.forEach((label, i) => {
        const y = heightAt(lane.lines[i], 1000 * f);
        label.node.textContent = y === null ? "–" : lane.say(lane.value(y));
      });
    }
  };
  const hide = () => {
    timeline.querySelector(".when").textContent = "";
    for (const line of cursors) line.hidden = true;
    for (const lane of lanes) for (const label of lane.labels) label.node.textContent = label.usual;
  };
  for (const canvas of canvases) {
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      show(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    });
    canvas.addEventListener("pointerleave", hide);
  }

  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const code = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
  addEventListener("beforeprint", () => { for (const d of document.querySelectorAll("details")) d.open = true; });
})();
